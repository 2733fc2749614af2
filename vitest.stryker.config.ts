import { defineConfig } from 'vitest/config'

/**
 * The tests that judge mutants: those of the audit, which need no Postgres; `TESTS` names some of them. A slow machine
 * is no reason to call a mutant killed.
 */
export default defineConfig({
  test: { include: [process.env.TESTS ?? 'audits/**/*.test.ts'], testTimeout: 60_000 },
})
