import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { failed, report, target, violation } from '../../audits/reports/examples.ts'
import { applyWaivers, readWaivers } from '../../audits/waivers.ts'
import { ROOT } from './support.ts'

const FINGERPRINT = violation().fingerprint
const WHO = ['--owner', 'payments', '--reason', 'by hand: see #4', '--ticket', '#12']
const BOUNDS = ['--max-rows', '1', '--max-impact', '5000000']

const COMMENTED = `# Reviewed by ann.
- invariant: overdraft # all of it
  owner: ann
  reason: old app
  ticket: LED-1
  expires: 2020-01-31
  max-rows: 3
  max-impact: 15000000`

async function files(waivers?: string): Promise<{ waivers: string; json: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'waive-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const paths = { waivers: join(directory, 'waivers.yml'), json: join(directory, 'audit.json') }
  if (waivers !== undefined) await writeFile(paths.waivers, waivers)
  const twice = [violation(), violation({ expected: '0', actual: '0.5' })]
  const found = report([
    target([failed(2, { id: 'overdraft', sample: twice, impact: '5000000.5' })]),
    target([failed(3, { id: 'overdraft' })], { name: 'eu' }),
  ])
  await writeFile(paths.json, JSON.stringify(found))
  return paths
}

/** Runs scripts/waive.ts as its npm script does. */
async function waive(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(ROOT, 'scripts/waive.ts'), ...args], { cwd: ROOT }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

describe('npm run waive', () => {
  // Writing the parsed list back would lose the comments, which hold the reasons.
  test('appends an entry that the audit takes, and leaves the rest of the file as it is', async () => {
    const { waivers } = await files(COMMENTED)
    const ran = await waive(FINGERPRINT, ...WHO, ...BOUNDS, '--waivers', waivers)
    expect(ran).toMatchObject({ code: 0, err: '' })
    const text = await readFile(waivers, 'utf8')
    expect(text.startsWith(`${COMMENTED}\n`)).toBe(true)
    const [, added] = await readWaivers(waivers, ['overdraft'], new Date())
    expect(added).toMatchObject({ fingerprint: FINGERPRINT, ticket: '#12', maxRows: 1, maxImpact: '5000000' })
    expect(text).toContain(`reason: "by hand: see #4"`)
    expect(ran.out).toContain(text.slice(COMMENTED.length + 1))
    expect(applyWaivers(failed(1), 'prod', added ? [added] : [], new Date()).status).toBe('waived')
  })

  // Bounds that are guessed are too wide, or lapse at once.
  test('takes the bounds from a report: as it is on the worst target, and no more', async () => {
    const { waivers, json } = await files()
    expect(await waive(FINGERPRINT, ...WHO, '--report', json, '--waivers', waivers)).toMatchObject({
      code: 0,
    })
    expect(await readWaivers(waivers, [], new Date())).toMatchObject([{ maxRows: 2, maxImpact: '5000000.5' }])
    expect(await readFile(waivers, 'utf8')).toMatch(/^# overdraft: grant_key invoice:in_1\n- fingerprint: /)
  })

  test('lets it end after so many days', async () => {
    const { waivers } = await files('')
    const before = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10)
    await waive(FINGERPRINT, ...WHO, ...BOUNDS, '--days', '90', '--waivers', waivers)
    const [added] = await readWaivers(waivers, [], new Date())
    const after = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10)
    expect([before, after]).toContain(added?.expires)
  })

  const TAKEN = `- fingerprint: "${FINGERPRINT}"\n  owner: o\n  reason: r\n  ticket: t\n  expires: 2020-01-31\n  max-rows: 1\n  max-impact: 1\n`
  test.each([
    [
      'no part of a fingerprint',
      '',
      ['0f3c', ...WHO, ...BOUNDS],
      /can't take the waiver: fingerprint: 64 hexadecimal digits/,
    ],
    [
      'what is waived already',
      TAKEN,
      [FINGERPRINT, ...WHO, ...BOUNDS],
      /can't take the waiver: this is waived already, in .*waivers\.yml:1: change that entry/,
    ],
    [
      'no owner',
      '',
      [FINGERPRINT, ...WHO.slice(2), ...BOUNDS],
      /required option '--owner <who>' not specified/,
    ],
    [
      'an empty reason',
      '',
      [FINGERPRINT, ...WHO, ...BOUNDS, '--reason', ' '],
      /can't take the waiver: reason: why it is so/,
    ],
    [
      'more than 90 days',
      '',
      [FINGERPRINT, ...WHO, ...BOUNDS, '--days', '91'],
      /--days: a whole number from 1 to 90/,
    ],
    [
      'no days',
      '',
      [FINGERPRINT, ...WHO, ...BOUNDS, '--days', 'soon'],
      /--days: a whole number from 1 to 90/,
    ],
    [
      'no bounds',
      '',
      [FINGERPRINT, ...WHO],
      /either --report out\/audit\.json, or --max-rows and --max-impact/,
    ],
    [
      'bounds that are none',
      '',
      [FINGERPRINT, ...WHO, '--max-rows', 'x', '--max-impact', '1'],
      /can't take the waiver: max-rows: a whole number/,
    ],
    [
      'a report that is not there',
      '',
      [FINGERPRINT, ...WHO, '--report', 'nowhere.json'],
      /--report nowhere\.json can't be read \(ENOENT\)/,
    ],
    [
      'a report that is none',
      '',
      [FINGERPRINT, ...WHO, '--report', 'package.json'],
      /--report package\.json is no report of this audit/,
    ],
    [
      'a file that is malformed before',
      '- invariant: x\n',
      [FINGERPRINT, ...WHO, ...BOUNDS],
      /waivers\.yml:1: 0\.owner: /,
    ],
    ['a list in brackets', '[]\n', [FINGERPRINT, ...WHO, ...BOUNDS], /waivers\.yml can't take the waiver: /],
  ])('takes %s: exit 3, and the file is as it was', async (_, text, args, message) => {
    const { waivers } = await files(text)
    const ran = await waive(...args, '--waivers', waivers)
    expect(ran.err).toMatch(/^waive: /)
    expect(ran.err).toMatch(message)
    expect(ran).toMatchObject({ code: 3, out: '' })
    expect(await readFile(waivers, 'utf8')).toBe(text)
    expect((await readdir(join(waivers, '..'))).sort()).toEqual(['audit.json', 'waivers.yml'])
  })

  test('takes no violation that the report does not name', async () => {
    const { waivers, json } = await files('')
    const ran = await waive('0'.repeat(64), ...WHO, '--report', json, '--waivers', waivers)
    expect(ran.err).toMatch(/audit\.json names no violation with the fingerprint 0{64}/)
    expect(ran.code).toBe(3)
  })

  test('says in its help what it needs', async () => {
    const { code, out } = await waive('--help')
    expect(code).toBe(0)
    for (const word of ['--owner', '--reason', '--ticket', '--days', '--report', 'Exit:'])
      expect(out).toContain(word)
    expect(out).not.toContain(ROOT)
  })
})
