import { Client, DatabaseError } from 'pg'

/** A session, and why it was ended, if it was. */
export interface Session {
  readonly client: Client
  /** SQLSTATE of the error with which the server ended it. */
  readonly ended: Promise<string | undefined>
}

export async function session(url: string, applicationName: string): Promise<Session> {
  const client = new Client({ connectionString: url, application_name: applicationName })
  const ended = new Promise<string | undefined>((resolve) => {
    client.on('error', (error) => {
      resolve(error instanceof DatabaseError ? error.code : undefined)
    })
  })
  await client.connect()
  return { client, ended }
}

/** One statement in a session of its own: the values of its only row, as texts. */
export async function ask(url: string, sql: string): Promise<(string | null)[]> {
  const { client } = await session(url, 'ask')
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return (rows[0] ?? []).map((value) => (value === null ? null : String(value)))
  } finally {
    await client.end()
  }
}

/** What a statement that must fail says: severity, SQLSTATE, text. */
export async function refusal(statement: Promise<unknown>): Promise<string> {
  const error = await statement.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof DatabaseError)) throw new Error('no refusal by the server', { cause: error })
  return `${error.severity} ${error.code} ${error.message}`
}
