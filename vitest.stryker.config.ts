import { defineConfig } from 'vitest/config'

/** The tests that judge mutants: those of the audit, which need no Postgres; `TESTS` names some of them. */
export default defineConfig({ test: { include: [process.env.TESTS ?? 'audits/**/*.test.ts'] } })
