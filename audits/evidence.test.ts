import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UsageError } from './errors.ts'
import { entitlements, parseEvidence, readEvidence } from './evidence.ts'

const ANN = '00000000-0000-4000-8000-00000000000a'
const BOB = '00000000-0000-4000-8000-00000000000b'
const AT = Date.parse('2026-11-01T10:00:00Z') / 1_000

const EVERYTHING = ['checkout_session', 'invoice', 'trial', 'admin'].map((kind) => ({
  kind,
  from: null,
  to: null,
}))
const TIERS = { price_year: 'vision_pro_annual', price_28: 'vision_pro_28day', price_hat: null }

type Json = Readonly<Record<string, unknown>>

const read = (file: Json) =>
  parseEvidence(
    JSON.stringify({ version: 1, livemode: true, covers: EVERYTHING, tiers: TIERS, ...file }),
    'e.json',
  )

const judge = (file: Json) => entitlements(read(file))

function problems(work: () => unknown): readonly string[] {
  try {
    work()
    return []
  } catch (error) {
    if (error instanceof UsageError) return error.problems
    throw error
  }
}

const session = (change: Json = {}, metadata: Json = {}) => ({
  id: 'cs_1',
  object: 'checkout.session',
  mode: 'payment',
  payment_status: 'paid',
  status: 'complete',
  livemode: true,
  created: AT,
  metadata: {
    purchase_type: 'token_pack',
    user_id: ANN,
    pack_id: 'mega',
    tokens_amount: '5000000',
    ...metadata,
  },
  payment_intent: 'pi_1',
  subscription: null,
  line_items: { object: 'list', data: [{ quantity: 1, price: { id: 'price_pack' } }], has_more: false },
  ...change,
})

interface Line {
  readonly price?: string | null
  readonly amount?: number
  readonly proration?: boolean
}

const HEAD = {
  id: 'in_1',
  object: 'invoice',
  status: 'paid',
  billing_reason: 'subscription_cycle',
  livemode: true,
  created: AT - 3_600,
  status_transitions: { paid_at: AT },
}

/** One invoice as versions before basil show it, and as those since then do. */
const SHAPES = {
  acacia: (change: Json = {}, lines: readonly Line[] = [{}], metadata: Json | null = { user_id: ANN }) => ({
    ...HEAD,
    metadata: {},
    subscription: 'sub_1',
    subscription_details: { metadata },
    payment_intent: 'pi_2',
    lines: {
      data: lines.map(({ price = 'price_year', amount = 99_900, proration = false }) => ({
        amount,
        proration,
        price: price === null ? null : { id: price, object: 'price' },
      })),
      has_more: false,
    },
    ...change,
  }),
  basil: (change: Json = {}, lines: readonly Line[] = [{}], metadata: Json | null = { user_id: ANN }) => ({
    ...HEAD,
    metadata: {},
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata } },
    payments: {
      data: [
        { status: 'canceled', payment: { type: 'payment_intent', payment_intent: 'pi_failed' } },
        { status: 'paid', payment: { type: 'payment_intent', payment_intent: 'pi_2' } },
      ],
      has_more: false,
    },
    lines: {
      data: lines.map(({ price = 'price_year', amount = 99_900, proration = false }, index) => ({
        amount,
        pricing:
          price === null ? null : { type: 'price_details', price_details: { price, product: 'prod_1' } },
        parent:
          index % 2 === 0
            ? { subscription_item_details: { proration }, invoice_item_details: null }
            : { subscription_item_details: null, invoice_item_details: { proration } },
      })),
      has_more: false,
    },
    ...change,
  }),
}

const subscription = (change: Json = {}) => ({
  id: 'sub_1',
  object: 'subscription',
  status: 'trialing',
  livemode: true,
  created: AT,
  start_date: AT,
  trial_start: AT,
  trial_end: AT + 56 * 86_400,
  metadata: { user_id: ANN },
  items: { data: [{ price: { id: 'price_year' } }], has_more: false },
  ...change,
})

const request = (change: Json = {}) => ({
  id: 'req-1',
  user_id: ANN,
  delta: '-500',
  reason: 'mistake',
  admin_user_id: BOB,
  requested_at: '2026-11-01T11:00:00+01:00',
  ...change,
})

describe('a pack', () => {
  test('that is paid owes its tokens', () => {
    expect(judge({ checkout_sessions: [session()] })).toMatchObject({
      refused: [],
      entitlements: [
        {
          grant_key: 'checkout_session:cs_1',
          kind: 'checkout_session',
          user_id: ANN,
          action_type: 'token_pack_purchase',
          tokens: '5000000',
          occurred_at: '2026-11-01T10:00:00.000Z',
          stripe_session_id: 'cs_1',
          stripe_payment_intent: 'pi_1',
          stripe_invoice_id: null,
          stripe_subscription_id: null,
          pack_id: 'mega',
          request_id: null,
          plan: null,
          refunded_cents: '0',
        },
      ],
    })
  })

  // A grant of one pack for an order of three; a sum in floating point.
  test('is owed as often as it was bought', () => {
    const line_items = { data: [{ quantity: 2 }, { quantity: 1 }] }
    const huge = { tokens_amount: '9007199254740993' }
    expect(judge({ checkout_sessions: [session({ line_items })] }).entitlements[0]?.tokens).toBe('15000000')
    expect(judge({ checkout_sessions: [session({ line_items }, huge)] }).entitlements[0]?.tokens).toBe(
      '27021597764222979',
    )
  })

  // A 100 % coupon: there is no payment intent at all.
  test('that needs no payment is owed', () => {
    const free = session({ payment_status: 'no_payment_required', payment_intent: null })
    expect(judge({ checkout_sessions: [free] }).entitlements).toMatchObject([
      { tokens: '5000000', stripe_payment_intent: null, refunded_cents: '0' },
    ])
  })

  test.for([
    ['unpaid', session({ payment_status: 'unpaid' })],
    // A free order says no_payment_required from the moment that it is opened.
    ['open, not complete', session({ payment_status: 'no_payment_required', status: 'open' })],
    ['expired, not complete', session({ payment_status: 'no_payment_required', status: 'expired' })],
    ['test mode', session({ livemode: false })],
    ['no token pack', session({}, { purchase_type: 'hat' })],
    ['no token pack', session({ mode: 'subscription' })],
  ] as const)('that is %s owes nothing', ([why, object]) => {
    expect(judge({ checkout_sessions: [object] })).toMatchObject({
      entitlements: [],
      refused: [{ grant_key: 'checkout_session:cs_1', why }],
    })
  })

  // A staging database judged by its own world: there, live money is the foreign one.
  test('of the live mode owes nothing where evidence is of the test mode', () => {
    expect(
      judge({ livemode: false, checkout_sessions: [session(), session({ id: 'cs_2', livemode: false })] }),
    ).toMatchObject({
      entitlements: [{ grant_key: 'checkout_session:cs_2' }],
      refused: [{ grant_key: 'checkout_session:cs_1', why: 'live mode' }],
    })
  })

  const expand = 'evidence: checkout session cs_1 has no line_items with quantities: expand them'
  const nobody =
    "evidence: checkout session cs_1 belongs to nobody: no metadata.user_id (a UUID) on it, on its subscription, or on that one's checkout session"

  // What can't be judged is told, not left out: a list without it would call its grant unearned.
  test.for([
    ['without its line items', session({ line_items: undefined }), expand],
    ['with no lines', session({ line_items: { data: [] } }), expand],
    [
      'with a line without a quantity',
      session({ line_items: { data: [{ quantity: 1 }, { quantity: null }] } }),
      expand,
    ],
    [
      'without a number of tokens',
      session({}, { tokens_amount: '5e6' }),
      'evidence: checkout session cs_1: metadata.tokens_amount is no number of tokens',
    ],
    [
      'of words before the number of tokens',
      session({}, { tokens_amount: 'x5' }),
      'evidence: checkout session cs_1: metadata.tokens_amount is no number of tokens',
    ],
    [
      'that says nothing of tokens',
      session({}, { tokens_amount: undefined }),
      'evidence: checkout session cs_1: metadata.tokens_amount is no number of tokens',
    ],
    ['of nobody', session({}, { user_id: 'ann' }), nobody],
  ] as const)('%s is an error', ([, object, problem]) => {
    expect(problems(() => judge({ checkout_sessions: [object] }))).toEqual([problem])
  })

  test('that is not owed needs neither lines nor an owner', () => {
    const unpaid = session({ payment_status: 'unpaid', line_items: undefined }, { user_id: undefined })
    expect(judge({ checkout_sessions: [unpaid] }).refused).toHaveLength(1)
  })
})

describe.for(Object.entries(SHAPES))('an invoice as %s shows it', ([, invoice]) => {
  const one = (object: Json, more: Json = {}) => judge({ invoices: [object], ...more })

  test('owes a paid year', () => {
    expect(one(invoice())).toMatchObject({
      refused: [],
      entitlements: [
        {
          grant_key: 'invoice:in_1',
          kind: 'invoice',
          user_id: ANN,
          action_type: 'subscription_grant',
          tokens: '5000000',
          // When it was paid, an hour after it was made.
          occurred_at: '2026-11-01T10:00:00.000Z',
          stripe_payment_intent: 'pi_2',
          stripe_invoice_id: 'in_1',
          stripe_subscription_id: 'sub_1',
          plan: 'annual',
        },
      ],
    })
  })

  test('owes a paid cycle of 28 days, the first one too', () => {
    const first = invoice({ billing_reason: 'subscription_create' }, [{ price: 'price_28', amount: 9_900 }])
    expect(one(first).entitlements).toMatchObject([{ tokens: '375000', plan: '28day' }])
  })

  // Not every version says when it was paid; without a time its grant would be unearned.
  test.for([{ status_transitions: { paid_at: null } }, { status_transitions: undefined }])(
    'is of the moment that it was made, where nothing says when it was paid: %o',
    (change) => {
      expect(one(invoice(change)).entitlements[0]?.occurred_at).toBe('2026-11-01T09:00:00.000Z')
    },
  )

  // The line's amount is what it was before discounts: 0 paid, and still a period that was given.
  test('owes a period that a coupon paid', () => {
    expect(
      one(invoice({ amount_paid: 0, total: 0, payment_intent: null, payments: { data: [] } })).entitlements,
    ).toMatchObject([{ tokens: '5000000', stripe_payment_intent: null }])
  })

  // A renewal after an upgrade carries the old plan's credit and the new plan's debit beside the new period.
  test('owes the period, whatever is prorated beside it', () => {
    const lines = [
      { price: 'price_28', amount: -4_000, proration: true },
      { price: 'price_28', amount: 2_000, proration: true },
      { price: 'price_year' },
      { price: 'price_hat', amount: 500 },
    ]
    expect(one(invoice({}, lines)).entitlements).toMatchObject([{ tokens: '5000000', plan: 'annual' }])
  })

  test.for([
    ['unpaid', { status: 'open' }, [{}]],
    ['unpaid', { status: 'draft' }, [{}]],
    ['unpaid', { status: 'void' }, [{}]],
    ['test mode', { livemode: false }, [{}]],
    ['neither a start nor a renewal (subscription_update)', { billing_reason: 'subscription_update' }, [{}]],
    ['neither a start nor a renewal (manual)', { billing_reason: 'manual' }, [{}]],
    ['neither a start nor a renewal (no billing reason)', { billing_reason: null }, [{}]],
    // The start of a trial: paid, of a plan, $0.
    ['no paid period of a plan', { billing_reason: 'subscription_create' }, [{ amount: 0 }]],
    ['no paid period of a plan', {}, [{ proration: true }, { proration: true }]],
    ['no paid period of a plan', {}, [{ price: 'price_hat' }]],
    ['no paid period of a plan', {}, []],
  ] as const)('that is %s owes nothing: %o', ([why, change, lines]) => {
    expect(one(invoice(change, lines))).toMatchObject({
      entitlements: [],
      refused: [{ grant_key: 'invoice:in_1', why }],
    })
  })

  // A price that somebody added in Stripe's dashboard: neither owed nor free until somebody says so.
  test.for([
    [
      'of a price that nobody knows',
      [{ price: 'price_new' }],
      'has the price "price_new", which tiers does not know; null there grants nothing',
    ],
    [
      'of no price at all',
      [{ price: null }],
      'has the price "no price", which tiers does not know; null there grants nothing',
    ],
    ['of two plans', [{}, { price: 'price_28' }], 'pays two plans at once'],
  ] as const)('%s is an error', ([, lines, problem]) => {
    expect(problems(() => one(invoice({}, lines)))).toEqual([`evidence: invoice in_1 ${problem}`])
  })

  test('is not asked for a price that cost nothing, or was prorated', () => {
    const lines = [{ price: 'price_new', amount: 0 }, { price: 'price_new', proration: true }, {}]
    expect(one(invoice({}, lines)).entitlements).toHaveLength(1)
  })

  // From the nearest to the farthest. What the session says is lost when it is not asked for.
  test.for([
    ['its own metadata', { metadata: { user_id: BOB } }, { user_id: ANN }, {}],
    [
      "its snapshot of the subscription's",
      {},
      { user_id: BOB },
      { subscriptions: [subscription({ status: 'active' })] },
    ],
    [
      "the subscription's",
      {},
      {},
      { subscriptions: [subscription({ metadata: { user_id: BOB }, trial_start: null })] },
    ],
    [
      "the subscription's session's",
      {},
      null,
      { checkout_sessions: [session({ mode: 'subscription', subscription: 'sub_1' }, { user_id: BOB })] },
    ],
  ] as const)('belongs to whom %s names', ([, change, metadata, more]) => {
    const covers = [{ kind: 'invoice', from: null, to: null }]
    expect(one(invoice(change, [{}], metadata), { ...more, covers }).entitlements[0]?.user_id).toBe(BOB)
  })

  test('of nobody is an error', () => {
    expect(problems(() => one(invoice({}, [{}], {})))).toEqual([
      expect.stringContaining('evidence: invoice in_1 belongs to nobody'),
    ])
  })

  test('with more lines than are shown is an error', () => {
    expect(problems(() => one(invoice({ lines: { data: [], has_more: true } })))).toEqual([
      'e.json: invoices[0].lines.has_more: the list has more: fetch all of it',
    ])
  })
})

// `invoice.subscription ?? invoice.parent.…` reads a third version as "no subscription", and owes nothing.
test('an invoice of a version that has neither shape is an error', () => {
  const { parent: _, ...neither } = SHAPES.basil()
  expect(problems(() => judge({ invoices: [neither] }))).toEqual([
    'e.json: invoices[0]: neither "parent" nor "subscription" is there: an API version that this audit does not know',
  ])
})

describe('a trial', () => {
  test.for([
    ['price_year', '1000000', 'annual'],
    ['price_28', '500000', '28day'],
  ] as const)('of %s owes %s tokens', ([price, tokens, plan]) => {
    const object = subscription({ items: { data: [{ price: { id: price } }] } })
    expect(judge({ subscriptions: [object] }).entitlements).toMatchObject([
      {
        grant_key: 'trial:sub_1',
        kind: 'trial',
        user_id: ANN,
        action_type: 'trial_grant',
        tokens,
        occurred_at: '2026-11-01T10:00:00.000Z',
        stripe_subscription_id: 'sub_1',
        plan,
      },
    ])
  })

  // The items show what a subscription has become; the trial was of what was bought.
  test('is of what its session sold, not of what it was upgraded to', () => {
    const upgraded = subscription({ status: 'active' })
    const bought = session({
      mode: 'subscription',
      subscription: 'sub_1',
      line_items: { data: [{ quantity: 1, price: { id: 'price_28' } }] },
    })
    expect(judge({ subscriptions: [upgraded], checkout_sessions: [bought] }).entitlements).toMatchObject([
      { tokens: '500000' },
    ])
  })

  // A session whose items were not asked for does not make the trial one of nothing.
  test('is of what its items show, where its session does not say what it sold', () => {
    const silent = session({ mode: 'subscription', subscription: 'sub_1', line_items: undefined })
    expect(
      judge({ subscriptions: [subscription()], checkout_sessions: [silent] }).entitlements,
    ).toMatchObject([{ kind: 'trial', tokens: '1000000' }])
  })

  // Measured by the earlier of the two, each of these would look like a trial that was added afterwards.
  test.for([
    ['a start that is to come', { start_date: AT + 86_400, trial_start: AT + 86_400 }],
    ['a start that was dated back', { start_date: AT - 86_400, trial_start: AT }],
    ['no start but its making', { start_date: undefined }],
  ] as const)('with %s is owed', ([, change]) => {
    expect(judge({ subscriptions: [subscription(change)] }).entitlements).toHaveLength(1)
  })

  test('that has ended since is owed all the same', () => {
    expect(judge({ subscriptions: [subscription({ status: 'canceled' })] }).entitlements).toHaveLength(1)
  })

  test.for([
    ['no subscription that starts in trial', { trial_start: null }],
    // A trial that an admin added to a paying customer.
    ['no subscription that starts in trial', { trial_start: AT + 3_600 }],
    ['incomplete', { status: 'incomplete' }],
    ['incomplete', { status: 'incomplete_expired' }],
    ['test mode', { livemode: false }],
    ['no trial of a plan', { items: { data: [{ price: 'price_hat' }] } }],
  ] as const)('that is %s owes nothing: %o', ([why, change]) => {
    expect(judge({ subscriptions: [subscription(change)] })).toMatchObject({
      entitlements: [],
      refused: [{ grant_key: 'trial:sub_1', why }],
    })
  })

  test('of a price that nobody knows, or of nobody, is an error', () => {
    const unknown = subscription({ items: { data: [{ price: 'price_new' }] } })
    const lost = subscription({ id: 'sub_2', metadata: {} })
    expect(problems(() => judge({ subscriptions: [unknown, lost] }))).toEqual([
      'evidence: subscription sub_1 has the price "price_new", which tiers does not know; null there grants nothing',
      expect.stringContaining('evidence: subscription sub_2 belongs to nobody'),
    ])
  })
})

describe('an admin request', () => {
  test.for([
    ['-500', 'admin_deduct', '500'],
    ['9007199254740993', 'admin_grant', '9007199254740993'],
  ] as const)('of %s owes an %s of %s', ([delta, action_type, tokens]) => {
    expect(judge({ admin_requests: [request({ delta })] }).entitlements).toMatchObject([
      {
        grant_key: 'admin:req-1',
        kind: 'admin',
        user_id: ANN,
        action_type,
        tokens,
        occurred_at: '2026-11-01T10:00:00.000Z',
        request_id: 'req-1',
      },
    ])
  })

  test.for(['0', '-0', '1.5', '+5', ''])('of "%s" is an error', (delta) => {
    expect(problems(() => judge({ admin_requests: [request({ delta })] }))).toEqual([
      'e.json: admin_requests[0].delta: not a whole number other than 0, in quotes',
    ])
  })
})

describe('a refund', () => {
  const charge = (id: string, payment_intent: unknown, amount_refunded: number) => ({
    id,
    payment_intent,
    amount_refunded,
  })

  // By payment intent, not by customer or amount; of all charges of that intent; expanded or not.
  test('is told of the purchase that it was for', () => {
    const { entitlements: owed } = judge({
      checkout_sessions: [session()],
      invoices: [SHAPES.basil(), SHAPES.acacia({ id: 'in_2', payment_intent: { id: 'pi_3' } })],
      charges: [
        charge('ch_1', 'pi_1', 5_000),
        charge('ch_2', { id: 'pi_1' }, 2_500),
        charge('ch_3', 'pi_2', 99_900),
        charge('ch_4', 'pi_failed', 100),
        charge('ch_5', null, 100),
      ],
    })
    expect(
      Object.fromEntries(owed.map(({ grant_key, refunded_cents }) => [grant_key, refunded_cents])),
    ).toEqual({
      'checkout_session:cs_1': '7500',
      'invoice:in_1': '99900',
      'invoice:in_2': '0',
    })
  })
})

describe('what is covered', () => {
  test('is told, and from when on a grant without a fact is unearned', () => {
    const covers = [
      { kind: 'checkout_session', from: '2026-10-01T00:00:00Z', to: '2026-11-01T00:00:00Z' },
      { kind: 'trial', from: null, to: null },
    ]
    expect(judge({ covers })).toEqual({
      covers: {
        // An event may be delivered 30 days late: its grant may be that much younger than its fact.
        checkout_session: {
          from: '2026-10-01T00:00:00Z',
          to: '2026-11-01T00:00:00Z',
          unearned_from: '2026-10-31T00:00:00.000Z',
        },
        trial: { from: null, to: null, unearned_from: null },
      },
      entitlements: [],
      refused: [],
    })
  })

  // The sessions stand there to tell whose the invoices are; nobody says that they are all.
  test('is what is judged', () => {
    const covers = [{ kind: 'invoice', from: null, to: null }]
    const file = {
      checkout_sessions: [session()],
      subscriptions: [subscription()],
      invoices: [SHAPES.basil()],
      admin_requests: [request()],
    }
    expect(judge({ ...file, covers })).toMatchObject({ entitlements: [{ kind: 'invoice' }], refused: [] })
    expect(judge(file).entitlements).toHaveLength(4)
  })

  test('is in the order of time', () => {
    const file = {
      checkout_sessions: [
        session({ created: AT + 5 }),
        session({ id: 'cs_0', created: AT + 5 }),
        session({ id: 'cs_2', created: AT }),
      ],
    }
    expect(judge(file).entitlements.map(({ grant_key }) => grant_key)).toEqual([
      'checkout_session:cs_2',
      'checkout_session:cs_0',
      'checkout_session:cs_1',
    ])
  })
})

describe('an evidence file', () => {
  test.for([
    [{ version: 2 }, 'e.json: version: this audit reads version 1'],
    [
      { covers: [{ kind: 'refund', from: null, to: null }] },
      'e.json: covers[0].kind: unknown kind "refund"; known are: checkout_session, invoice, trial, admin',
    ],
    [{ covers: [] }, 'e.json: covers: it covers nothing; name at least one kind'],
    [
      { covers: [{ kind: 'trial', from: 'yesterday', to: null }] },
      'e.json: covers[0].from: not an ISO 8601 time with a zone',
    ],
    [
      { covers: [{ kind: 'trial', from: '2026-11-02T00:00:00Z', to: '2026-11-01T00:00:00Z' }] },
      'e.json: covers: trial: from is later than to',
    ],
    [{ covers: [...EVERYTHING, EVERYTHING[0]] }, 'e.json: covers: "checkout_session" is there twice'],
    [{ refunds: [] }, 'e.json: Unrecognized key: "refunds"'],
    [{ checkout_sessions: [session(), session()] }, 'e.json: checkout_sessions: "cs_1" is there twice'],
    [{ invoices: [SHAPES.acacia(), SHAPES.basil()] }, 'e.json: invoices: "in_1" is there twice'],
    // A charge that is counted twice is twice the refund.
    [
      { charges: [0, 1].map(() => ({ id: 'ch_1', payment_intent: 'pi_1', amount_refunded: 1 })) },
      'e.json: charges: "ch_1" is there twice',
    ],
    [{ subscriptions: [subscription(), subscription()] }, 'e.json: subscriptions: "sub_1" is there twice'],
    [{ admin_requests: [request(), request()] }, 'e.json: admin_requests: "req-1" is there twice'],
    [{ admin_requests: [request({ user_id: 'ann' })] }, 'e.json: admin_requests[0].user_id: not a UUID'],
    [{ admin_requests: [request({ note: 'x' })] }, 'e.json: admin_requests[0]: Unrecognized key: "note"'],
  ] as const)('says what is wrong in it: %o', ([change, problem]) => {
    expect(problems(() => read(change))).toEqual([problem])
  })

  test('names an object of the wrong type, and what it lacks', () => {
    const [object] = problems(() => read({ checkout_sessions: [SHAPES.basil()] }))
    expect(object).toMatch(/^e\.json: checkout_sessions\[0\]\./)
  })

  // The message of the JSON parser quotes what it could not read, and the file holds people.
  test('that is not JSON is told so, without its content', () => {
    expect(problems(() => parseEvidence('{"email": ann@example.com}', 'e.json'))).toEqual([
      'e.json: not JSON; an evidence file is one JSON object',
    ])
    expect(problems(() => parseEvidence('[]', 'e.json'))).toHaveLength(1)
  })

  // What a file leaves out is none, and one moment is a time too.
  test('needs no more than what it covers', () => {
    const at = '2026-11-01T00:00:00Z'
    const least = { version: 1, livemode: true, covers: [{ kind: 'trial', from: at, to: at }] }
    expect(parseEvidence(JSON.stringify(least), 'e.json')).toEqual({
      ...least,
      tiers: {},
      checkout_sessions: [],
      invoices: [],
      subscriptions: [],
      charges: [],
      admin_requests: [],
    })
  })

  test('is read from where it is', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'evidence-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const path = join(directory, 'e.json')
    await writeFile(path, JSON.stringify({ version: 1, livemode: false, covers: EVERYTHING }))
    expect(await readEvidence(path)).toMatchObject({ livemode: false, covers: EVERYTHING })
  })

  test('that is not there is named', async () => {
    await expect(readEvidence('/no/such/file.json')).rejects.toThrow(
      "/no/such/file.json: can't be read: ENOENT",
    )
  })
})
