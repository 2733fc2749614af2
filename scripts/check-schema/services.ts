import { Databases } from '../../fixtures/postgres/databases.ts'
import { startPostgres } from '../../fixtures/postgres/server.ts'
import { startStripeMock } from '../../fixtures/stripe/stripe-mock.ts'

/** What the stories are played with. */
export interface Services {
  readonly databases: Databases
  readonly stripeMockUrl: string | undefined
  stop(): Promise<void>
}

/** Starts them, and says which. */
export async function startServices(): Promise<Services> {
  const server = await startPostgres()
  console.log(server.says)
  const stripeMock = await startStripeMock().catch(async (error: unknown) => {
    await server.stop()
    throw error
  })
  console.log('absent' in stripeMock ? stripeMock.absent : stripeMock.says)
  const databases = new Databases(server.url)
  return {
    databases,
    stripeMockUrl: 'url' in stripeMock ? stripeMock.url : undefined,
    async stop() {
      await databases.close()
      if ('stop' in stripeMock) await stripeMock.stop()
      await server.stop()
    },
  }
}
