import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const { VITEST_JUNIT, GITHUB_ACTIONS, SCHEMA } = process.env

// Each test file, and each command that is tested, is a process of its own that loads the same modules.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/node')

export default defineConfig({
  test: {
    // One more than cores, as some of these tests wait for what does not answer; above eight, their connections would
    // not fit into the server.
    maxWorkers: Math.min(8, availableParallelism() + 1),
    reporters: ['default', ...(GITHUB_ACTIONS ? ['github-actions'] : []), ...(VITEST_JUNIT ? ['junit'] : [])],
    ...(VITEST_JUNIT && { outputFile: { junit: VITEST_JUNIT } }),
    projects: [
      // With a schema that is somebody else's, what is tested is that schema; the other tests are of our own.
      ...(SCHEMA
        ? []
        : [
            {
              extends: true as const,
              test: { name: 'rooms', include: ['audits/**/*.test.ts', 'fixtures/**/*.test.ts'] },
            },
          ]),
      {
        extends: true,
        test: {
          name: 'scenarios',
          ...(SCHEMA
            ? { include: ['scenarios/on-schema/*.test.ts'] }
            : { include: ['scenarios/**/*.test.ts'], exclude: ['scenarios/on-schema/**'] }),
          // Only this project needs Postgres: a run of pure tests does not wait for it.
          globalSetup: ['scenarios/support/global-setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
