import { expect, test } from 'vitest'
import { exceeds, gap, sum } from './decimal.ts'

// Floats would lose the last digits of these.
test('sums are exact, whatever their length and their places', () => {
  expect(sum([])).toBe('0')
  expect(sum(['9007199254740993', '1'])).toBe('9007199254740994')
  expect(sum(['0.1', '0.2'])).toBe('0.3')
  expect(sum(['-0.05', '0.01'])).toBe('-0.04')
  expect(sum(['10', '-0.50', '123456789012345678901234567890'])).toBe('123456789012345678901234567899.50')
})

test('a gap has no direction', () => {
  expect(gap('5000000', '0')).toBe('5000000')
  expect(gap('-1.5', '1')).toBe('2.5')
  expect(gap('1', '-1.5')).toBe('2.5')
})

// As texts, '9' would exceed '10'.
test('what exceeds what is told by the value', () => {
  expect(exceeds('10', '9')).toBe(true)
  expect(exceeds('9', '10')).toBe(false)
  expect(exceeds('1.50', '1.5')).toBe(false)
  expect(exceeds('1.501', '1.5')).toBe(true)
  expect(exceeds('-2', '-1')).toBe(false)
})
