import { access, constants } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { readBreaks } from '../audits/catalogue.ts'
import { writeWhole } from '../audits/write-whole.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { readSchema } from '../fixtures/schema/schema.ts'
import { storiesNamed } from '../scenarios/engine/stories.ts'
import { outliveReader } from './closed-pipe.ts'

interface Options {
  readonly before: string
  readonly after: string
  readonly markdown?: string
}

outliveReader()

const command = new Command('check-schema')
  .description(
    'Judges a change of the schema: applies what it adds to what was there, plays the stories on both, breaks healthy rows in both, compares values, functions and privileges, and looks at what it locks.',
  )
  .argument('[story...]', 'names of stories; none: all of them')
  .requiredOption('--before <dir>', 'the folder of Supabase migrations before the change')
  .requiredOption('--after <dir>', 'the same folder after it')
  .option('--markdown <file>', 'write the verdict for the step summary of a workflow')
  .addHelpText(
    'after',
    `
In a workflow of GitHub (GITHUB_ACTIONS=true) harm is annotated at the file and line of the migration.
It needs a Postgres of its own, chosen as in the tests (TEST_POSTGRES).

Exit: 0 no harm, 1 harm, 2 could not judge (wins over 1, the report shows both), 3 wrong usage.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'check-schema: ')) })

async function main(): Promise<number> {
  await command.parseAsync()
  const options = command.opts<Options>()
  const stories = storiesNamed([...new Set(command.args)])
  const { markdown } = options
  if (markdown !== undefined) {
    await access(dirname(markdown), constants.W_OK).catch(() => {
      throw new UsageError(`--markdown ${markdown}: its folder does not exist or can't be written to`)
    })
  }
  const [before, after] = [await folder(options.before), await folder(options.after)]
  // Loaded when they are wanted: a wrong flag is answered at once.
  const { allRules } = await import('../scenarios/engine/outcome.ts')
  const { judgeChange } = await import('../scenarios/engine/schema-change/check.ts')
  const { startServices } = await import('./check-schema/services.ts')
  const { renderAnnotations, renderMarkdown, renderTerminal } = await import('./check-schema/render.ts')
  const { EXIT, verdictOf } = await import('./check-schema/verdict.ts')
  const { renderInstalled } = await import('../scenarios/engine/given-schema.ts')

  const catalogue = await allRules()
  const breaks = await readBreaks(join(import.meta.dirname, '../audits/breaks'), catalogue)
  const services = await startServices()
  try {
    const { databases, stripeMockUrl } = services
    const report = (what: string) => console.log(`… ${what}`)
    const judgement = await judgeChange(databases, {
      before,
      after,
      stories,
      catalogue,
      breaks,
      stripeMockUrl,
      report,
    })
    console.log(renderInstalled(before, judgement.before).join('\n'))
    if (judgement.after !== undefined) console.log(renderInstalled(after, judgement.after).join('\n'))
    process.stdout.write(`\n${renderTerminal(judgement)}`)
    if (process.env.GITHUB_ACTIONS === 'true') process.stdout.write(renderAnnotations(judgement))
    if (markdown !== undefined) await writeWhole(markdown, renderMarkdown(judgement))
    return EXIT[verdictOf(judgement)]
  } finally {
    await services.stop()
  }
}

async function folder(path: string) {
  const schema = await readSchema(path)
  if (schema.kind === 'dump') {
    throw new UsageError(
      `${path} is a file: give a folder of migrations, a dump does not say what a change is made of`,
    )
  }
  return schema
}

function explain(error: unknown): number {
  // Commander has said it already; --help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`check-schema: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}

process.exitCode = await main().catch(explain)
