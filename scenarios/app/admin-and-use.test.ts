import { describe, expect } from 'vitest'
import { type Answer, post } from './hand-made-stripe.ts'
import { type Stand, test } from './test.ts'

const adjust = ({ app }: Pick<Stand, 'app'>, body: object, id?: string): Promise<Answer> =>
  post(`${app.url}/api/admin/users/adjust-tokens`, body, id === undefined ? {} : { 'idempotency-key': id })

const use = ({ app }: Pick<Stand, 'app'>, body: object): Promise<Answer> =>
  post(`${app.url}/api/ai/use`, { actionType: 'chat_conversation', model: 'gpt', ...body })

describe('an admin’s adjustment', () => {
  test('is made once a request id, and a second click is told the first result', async ({ stand }) => {
    const at = await stand('repaired')
    const ann = await at.user({ draft: true })
    const grant = { userId: ann, delta: 500, reason: 'sorry' }
    const first = {
      success: true,
      actionType: 'admin_grant',
      tokens: 500,
      previousBalance: 0,
      newBalance: 500,
    }
    expect(await adjust(at, grant, 'req-1')).toEqual({ status: 200, body: { ...first, alreadyDone: false } })
    await adjust(at, { ...grant, delta: -100 }, 'req-2')
    // In the body it is the same id as in the header.
    expect(await adjust(at, { ...grant, requestId: 'req-1' })).toEqual({
      status: 200,
      body: { ...first, alreadyDone: true },
    })
    expect(await at.ledger(ann)).toEqual(['admin_grant 500 admin:req-1', 'admin_deduct 100 admin:req-2'])
    expect(await at.balance(ann)).toBe(400)
  })

  // Kills a deduction that nobody can tie to the refund it is for: the audit goes on reporting the purchase.
  test('that settles a refund names the payment in the ledger', async ({ stand }) => {
    const at = await stand('repaired')
    const ann = await at.user()
    await adjust(at, { userId: ann, delta: 500, reason: 'sorry' }, 'req-1')
    const taken = { userId: ann, delta: -500, reason: 'refunded', stripePaymentIntent: 'pi_3Ab' }
    expect(await adjust(at, taken, 'req-2')).toMatchObject({ status: 200 })
    expect(JSON.stringify(await at.everything())).toContain('"stripe_payment_intent":"pi_3Ab"')
    expect(await adjust(at, { ...taken, stripePaymentIntent: 'ch_3Ab' }, 'req-3')).toMatchObject({
      status: 400,
    })
  })

  // Kills a check before the transaction: both clicks pass it.
  test('is made once when both clicks arrive together', async ({ stand }) => {
    const at = await stand('repaired')
    const ann = await at.user()
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => adjust(at, { userId: ann, delta: 500, reason: 'sorry' }, 'req-1')),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(answers.filter(({ body }) => body.alreadyDone === false)).toHaveLength(1)
    expect(await at.balance(ann)).toBe(500)
  })

  // Kills an app that answers "done" to a request that it has not done.
  test('with the id of another request is refused', async ({ stand }) => {
    const at = await stand('repaired')
    const [ann, ben] = [await at.user(), await at.user()]
    const grant = { userId: ann, delta: 500, reason: 'sorry' }
    await adjust(at, grant, 'req-1')
    const before = await at.everything()
    for (const other of [
      { ...grant, delta: 600 },
      { ...grant, delta: -500 },
      { ...grant, reason: 'thanks' },
      { ...grant, userId: ben },
    ]) {
      expect(await adjust(at, other, 'req-1')).toEqual({
        status: 409,
        body: { error: 'request id req-1 was used for another adjustment' },
      })
    }
    expect(await at.everything()).toEqual(before)
  })

  // Kills an app that records what it took instead of what was asked: the overdraft would be hidden.
  test('beyond the balance is recorded in full, and the balance stops at 0', async ({ stand }) => {
    const at = await stand('repaired')
    const ann = await at.user()
    await adjust(at, { userId: ann, delta: 300 }, 'req-1')
    expect(await adjust(at, { userId: ann, delta: -500 }, 'req-2')).toMatchObject({ body: { newBalance: 0 } })
    expect((await at.ledger(ann)).at(-1)).toBe('admin_deduct 500 admin:req-2')
  })

  test.for<[string, object, string | undefined, number, string]>([
    ['no request id', {}, undefined, 400, 'a request id is needed'],
    ['a request id that is no id', {}, 'what ever', 400, 'letters, digits'],
    ['two request ids', { requestId: 'req-2' }, 'req-1', 400, 'differ'],
    ['nothing to adjust', { delta: 0 }, 'req-1', 400, 'must not be 0'],
    ['half a token', { delta: 0.5 }, 'req-1', 400, 'delta'],
    ['more than a row can hold', { delta: 2 ** 31 }, 'req-1', 400, 'delta'],
    ['no user id', { userId: 'ann' }, 'req-1', 400, 'userId'],
    ['an unknown user', { userId: '00000000-0000-4000-8000-000000000000' }, 'req-1', 404, 'has no profile'],
  ])('with %s is refused, and nothing is written', async ([, wrong, id, status, why], { stand }) => {
    const at = await stand('repaired')
    const ann = await at.user()
    const before = await at.everything()
    const answer = await adjust(at, { userId: ann, delta: 500, reason: 'sorry', ...wrong }, id)
    expect(answer).toEqual({ status, body: { error: expect.stringContaining(why) } })
    expect(await at.everything()).toEqual(before)
  })

  test('that is not JSON is refused', async ({ stand }) => {
    const { app } = await stand('repaired')
    const answer = await post(`${app.url}/api/admin/users/adjust-tokens`, '{"userId":')
    expect(answer).toEqual({ status: 400, body: { error: 'the body is not JSON' } })
  })
})

describe('AI use', () => {
  test('is recorded and taken from every profile row of the user; a failed call moves nothing', async ({
    stand,
  }) => {
    const at = await stand('repaired')
    const ann = await at.user({ draft: true })
    await adjust(at, { userId: ann, delta: 1_000 }, 'req-1')
    expect(await use(at, { userId: ann, tokens: 300 })).toEqual({
      status: 200,
      body: { success: true, tokensUsed: 300, newBalance: 700 },
    })
    expect(await use(at, { userId: ann, tokens: 50, success: false })).toMatchObject({
      body: { newBalance: 700 },
    })
    // Beyond the balance: in full, and the balance stops at 0.
    expect(await use(at, { userId: ann, tokens: 900 })).toMatchObject({ body: { newBalance: 0 } })
    const { rows } = await at.db.query(
      `select distinct vibe_assistant_tokens_remaining as left, vibe_assistant_tokens_used as used
       from public.user_profiles`,
    )
    expect(rows).toEqual([{ left: 0, used: 1_200 }])
  })

  test('of a type that is no AI use, or of an unknown user, is refused', async ({ stand }) => {
    const at = await stand('repaired')
    const ann = await at.user()
    const before = await at.everything()
    for (const actionType of ['voice_profile_analysis', 'admin_grant']) {
      expect(await use(at, { userId: ann, tokens: 1, actionType })).toEqual({
        status: 400,
        body: { error: `token_usage takes no AI use of type "${actionType}"` },
      })
    }
    expect(await use(at, { userId: '00000000-0000-4000-8000-000000000000', tokens: 1 })).toMatchObject({
      status: 404,
    })
    expect(await at.everything()).toEqual(before)
  })
})
