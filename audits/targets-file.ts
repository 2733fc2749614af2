import { z } from 'zod'
import { UsageError } from './errors.ts'
import { STAGES } from './stage.ts'
import { NAME, problemsOf, type Target } from './targets.ts'
import { readYaml } from './yaml-file.ts'

const target = z.strictObject({
  name: z.string().regex(NAME, 'a name has letters, digits, dots, dashes and underscores'),
  'url-from': z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      'the name of an environment variable, which holds the URL; a file in the repository is no place for it',
    ),
  stage: z.enum(STAGES).optional(),
  database: z.string().min(1).optional(),
  system: z
    .string()
    .regex(/^\d+$/, 'a system identifier in quotes, such as "7561234567890123456"')
    .optional(),
  'statement-timeout': z
    .string()
    .regex(/^[1-9]\d{0,4}s$/, 'whole seconds, such as 20s')
    .optional(),
  skip: z.array(z.strictObject({ invariant: z.string(), reason: z.string().min(1) })).optional(),
})

const file = z.strictObject({ targets: z.array(target).min(1, 'no target') })

/**
 * Reads targets from a YAML file: names, where the URLs are, what each database must be, what is left out and why.
 *
 * @param env where the URLs are
 * @param ids of all rules
 * @throws UsageError with one line for each problem: file, line, what
 */
export async function readTargets(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
  ids: readonly string[],
): Promise<readonly Target[]> {
  const { value, place } = await readYaml(path, file)
  const problems: string[] = []
  const targets = value.targets.flatMap((given, index): Target[] => {
    const { name, stage, database, system } = given
    const skip = (given.skip ?? []).map(({ invariant, reason }) => ({ id: invariant, reason }))
    for (const [at, { id }] of skip.entries()) {
      const where = place('targets', index, 'skip', at, 'invariant')
      if (!ids.includes(id))
        problems.push(`${where}: there is no rule "${id}"; npm run invariants lists them`)
      if (skip.findIndex((other) => other.id === id) < at) problems.push(`${where}: "${id}" is skipped twice`)
    }
    const url = env[given['url-from']]
    if (!url) {
      problems.push(
        `${place('targets', index, 'url-from')}: the environment variable ${given['url-from']} is not set`,
      )
      return []
    }
    const timeout = given['statement-timeout']
    return [
      {
        name,
        url,
        ...(stage && { stage }),
        ...(database && { database }),
        ...(system && { system }),
        ...(timeout && { statementMs: Number.parseInt(timeout, 10) * 1_000 }),
        ...(skip.length > 0 && { skip }),
      },
    ]
  })
  problems.push(...problemsOf(targets).map((problem) => `${place('targets')}: ${problem}`))
  if (problems.length > 0) throw new UsageError(problems)
  return targets
}
