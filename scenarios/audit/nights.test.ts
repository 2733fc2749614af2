import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, onTestFinished } from 'vitest'
import { CHECK, serveHeartbeat } from '../../fixtures/webhook/heartbeat.ts'
import { SECRET, serveSlack } from '../../fixtures/webhook/slack.ts'
import { test } from '../support/test.ts'
import { command, directory, execute, ruleFile, violation } from './support.ts'

type Answers = Parameters<typeof serveSlack>[0]

/** A rule that finds each row of public.thing. */
const RULES = {
  'things.sql': ruleFile({ unit: 'rows' }, violation({ subject_id: 't.n::text' }, 'from public.thing as t')),
}

async function chain(databaseUrl: string, answers: Answers = []) {
  const slack = await serveSlack(answers)
  const heartbeat = await serveHeartbeat()
  onTestFinished(async () => {
    await slack.close()
    await heartbeat.close()
  })
  const history = await directory({})
  const rules = await directory(RULES)
  const args = ['--target', `shop=${databaseUrl}`, '--invariants', rules, '--history', history]
  const env = { SLACK_WEBHOOK_URL: slack.url, HEARTBEAT_URL: heartbeat.url }
  return { slack, heartbeat, history, rules, args, env }
}

const said = (posted: readonly unknown[]) =>
  posted
    .map((message) => JSON.stringify(message))
    .map((text) => ({
      says: (part: string | RegExp) => (typeof part === 'string' ? text.includes(part) : part.test(text)),
      text,
    }))

describe('night by night', () => {
  test('Slack hears what changed, once, and again what reached nobody', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, 'create table public.thing (n int); insert into public.thing values (1)')
    // The third message meets a Slack that refuses it for good.
    const { slack, heartbeat, history, args, env } = await chain(url, [
      { status: 200, body: 'ok' },
      { status: 200, body: 'ok' },
      { status: 404, body: 'no_service' },
    ])
    const night = async () => {
      const before = slack.posted.length
      const ran = await command(args, env)
      return { code: ran.code, out: ran.out, heard: said(slack.posted.slice(before)) }
    }

    const first = await night()
    expect(first.code).toBe(1)
    expect(first.heard).toHaveLength(1)
    // With nothing to compare with, nothing is new.
    expect(first.heard[0]?.says(/[Hh]istory unknown/)).toBe(true)

    const second = await night()
    expect(second.code).toBe(1)
    expect(second.heard).toEqual([])
    expect(second.out).toContain('since the last run: 1 open')

    await execute(url, 'insert into public.thing values (2)')
    const third = await night()
    expect(third.heard[0]?.says('new')).toBe(true)
    expect(third.code).toBe(1)

    await execute(url, 'insert into public.thing values (3)')
    const fourth = await night()
    expect(fourth.code).toBe(4)

    // Nothing has changed since, and yet somebody has to hear of the night before.
    const fifth = await night()
    expect(fifth.code).toBe(1)
    expect(fifth.heard).toHaveLength(1)

    await execute(url, 'delete from public.thing')
    const sixth = await night()
    expect(sixth.code).toBe(0)
    expect(sixth.heard[0]?.says('Resolved')).toBe(true)

    await execute(url, 'insert into public.thing values (1)')
    const seventh = await night()
    expect(seventh.heard[0]?.says('Reopened')).toBe(true)

    expect(await readdir(join(history, 'shop'))).toHaveLength(7)
    expect(heartbeat.pings.map(({ signal }) => signal)).toEqual(
      [1, 1, 1, 4, 1, 'success', 1].flatMap((end) => ['start', end]),
    )
  })

  // A screen that is believed on its word hides what it was never checked for.
  test('every select is run first, then screens go before, and the report says so', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    const { args, env, rules } = await chain(url)
    await execute(url, 'create table public.thing (n int)')
    const first = await command(args, env)
    expect(first.out).toContain('every select was run: not every select has been run on this target yet')
    const second = await command(args, env)
    expect(second.out).toMatch(/screened, with the seed -?\d+/)
    expect(second.code).toBe(0)
    const full = await command([...args, '--full'], env)
    expect(full.out).toContain('every select was run: --full')
    const alone = await command(['--target', `shop=${url}`, '--invariants', rules], env)
    expect(alone.out).toContain(
      'every select was run: there is no history that knows when every select was last run',
    )
  })

  test('a run that comes to no verdict is told as well', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const { args, env, slack, heartbeat } = await chain(url)
    const ran = await command([...args, '--waivers', '/nowhere/waivers.yml'], env)
    expect(ran.code).toBe(3)
    expect(said(slack.posted)[0]?.says('/nowhere/waivers.yml')).toBe(true)
    expect(heartbeat.pings.map(({ signal }) => signal)).toEqual([3])
  })

  // What is thrown where nobody can catch it, in a listener or a timer.
  test('and so is one that crashes', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const { args, env, slack, heartbeat } = await chain(url)
    const crash = `const tick = setInterval(() => {
      if (process.listenerCount('uncaughtException') === 0) return
      clearInterval(tick)
      throw new Error('boom')
    }, 1)`
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(crash)}`
    const ran = await command(args, { ...env, NODE_OPTIONS })
    expect(ran.code).toBe(2)
    expect(said(slack.posted)[0]?.says('could not run: boom')).toBe(true)
    expect(heartbeat.pings.at(-1)?.signal).toBe(2)
  })
})

describe('npm run drill', () => {
  test('lets the alarm ring and end, by Slack and by the check, and changes nothing', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    await execute(url, 'create table public.thing (n int)')
    const { args, env, slack, heartbeat, history } = await chain(url)
    const quiet = await command(args, env)
    expect(quiet.code).toBe(0)
    const drilled = await command(args, env, 'drill')
    expect(drilled.code).toBe(0)
    expect(drilled.out).toContain('FIRE DRILL: the alarm and its resolution were delivered')
    const [alarm, resolution, ...more] = said(slack.posted)
    expect(more).toEqual([])
    expect(alarm?.says('FIRE DRILL')).toBe(true)
    expect(resolution?.says('FIRE DRILL')).toBe(true)
    expect(resolution?.says('Resolved')).toBe(true)
    expect(heartbeat.pings.map(({ signal }) => signal)).toEqual(['start', 'success', 'start', 1, 'success'])
    // The next real run compares with the last real one.
    const after = await command(args, env)
    expect(after.code).toBe(0)
    expect(slack.posted).toHaveLength(2)
    expect((await readdir(join(history, 'shop'))).length).toBeGreaterThan(2)
    expect(drilled.out + drilled.err).not.toContain(SECRET)
    expect(drilled.out + drilled.err).not.toContain(CHECK)
  })

  test('that nobody can hear is refused, and one that was not heard is 4', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, 'create table public.thing (n int)')
    const deaf = await chain(url, Array(9).fill({ status: 404, body: 'no_service' }))
    const { HEARTBEAT_URL } = deaf.env
    const silent = await command(deaf.args, { HEARTBEAT_URL }, 'drill')
    expect(silent.code).toBe(3)
    expect(silent.err).toContain('SLACK_WEBHOOK_URL is not set: a drill that nobody hears is none')
    const unheard = await command(deaf.args, deaf.env, 'drill')
    expect(unheard.code).toBe(4)
    expect(unheard.out).toContain('was not delivered (exit 4)')
  })
})
