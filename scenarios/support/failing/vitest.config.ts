import { defineConfig } from 'vitest/config'

/** A run of its own, started by a test: tests that fail on purpose, to see what a person is then told. */
export default defineConfig({
  test: {
    include: ['scenarios/support/failing/on-purpose.ts'],
    globalSetup: ['scenarios/support/global-setup.ts'],
    reporters: ['default'],
  },
})
