import { expect, test } from 'vitest'
import { canonical } from './end-state.ts'

const RUN = { since: '2026-01-01T10:00:00', until: '2026-01-01T12:00:00' }
const row = (id: string, tokens: number, created: string, table = 'public.token_usage') =>
  `${table} {"id": "${id}", "user_id": "u", "created_at": "${created}+00:00", "tokens_used": ${tokens}}`
const A = '11111111-1111-4111-8111-111111111111'
const B = '22222222-2222-4222-8222-222222222222'

// An end state that looks like another one is not judged: whatever a rule can see has to show.
test('ids that were drawn and moments of the run do not count, only which rows they join and in which order they came', () => {
  const first = canonical([row(A, 5, '2026-01-01T10:00:01.5'), row(B, 7, '2026-01-01T10:00:02')], RUN)
  expect(canonical([row(A, 7, '2026-01-01T11:30:02'), row(B, 5, '2026-01-01T11:30:01')], RUN)).toBe(first)
})

const one = [row(A, 5, '2026-01-01T10:00:01'), row(B, 7, '2026-01-01T10:00:02')]

test.each([
  ['another size', [row(A, 5, '2026-01-01T10:00:01'), row(B, 8, '2026-01-01T10:00:02')]],
  ['the other order in time', [row(A, 7, '2026-01-01T10:00:01'), row(B, 5, '2026-01-01T10:00:02')]],
  ['one moment for both', [row(A, 5, '2026-01-01T10:00:01'), row(B, 7, '2026-01-01T10:00:01')]],
  ['a moment from before the run', [row(A, 5, '2025-01-01T10:00:01'), row(B, 7, '2026-01-01T10:00:02')]],
  ['a moment that is still to come', [row(A, 5, '2026-01-01T10:00:01'), row(B, 7, '2036-01-01T10:00:02')]],
  ['another table', [...one.slice(0, 1), row(B, 7, '2026-01-01T10:00:02', 'public.token_drips')]],
  ['a row less', one.slice(0, 1)],
  ['a row doubled', [...one, ...one.slice(0, 1)]],
])('%s is another end state', (_, rows) => {
  expect(canonical(rows, RUN)).not.toBe(canonical(one, RUN))
})

test('of two rows of one moment, which has the lesser id is seen', () => {
  const moment = '2026-01-01T10:00:01'
  const state = (five: string, seven: string) => canonical([row(five, 5, moment), row(seven, 7, moment)], RUN)
  expect(state(A, B)).not.toBe(state(B, A))
})

test('a reference to a row that was drawn says which row', () => {
  const drip = (usage: string) =>
    `public.token_drips {"id": "${'3'.repeat(8)}-3333-4333-8333-${'3'.repeat(12)}", "token_usage_id": "${usage}"}`
  const rows = [row(A, 5, '2026-01-01T10:00:01'), row(B, 7, '2026-01-01T10:00:02')]
  expect(canonical([...rows, drip(A)], RUN)).not.toBe(canonical([...rows, drip(B)], RUN))
})
