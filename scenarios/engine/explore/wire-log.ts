import type { Fault } from '../plan.ts'

const ERROR = 0x45
const COMPLETE = 0x43

const SHOWN_OF_A_STATEMENT = 90

/** What passed between an app and Postgres, a line each, oldest first. */
export class WireLog {
  readonly #lines: string[] = []
  /** By lane: who waits is asked again and again. */
  readonly #last = new Map<string, string>()

  /** @param lane whose statement it is, where several overlap; else empty */
  statement(lane: string, sql: string, fault: 'pass' | Fault, answer: Buffer | null): void {
    this.#note(lane, `${short(sql)} → ${OUTCOMES[fault] ?? outcomeOf(answer)}`)
  }

  waits(lane: string, sql: string, what: 'stop' | 'another'): void {
    this.#note(lane, `${short(sql)} … ${what === 'stop' ? 'stops before a write' : 'waits for a lock'}`)
  }

  /** The lines since it was asked last. */
  take(): readonly string[] {
    return this.#lines.splice(0)
  }

  #note(lane: string, text: string): void {
    const isNoted = lane !== '' && this.#last.get(lane) === text
    this.#last.set(lane, text)
    if (isNoted) return
    this.#lines.push(lane === '' ? text : `${lane}  ${text}`)
  }
}

const OUTCOMES: Partial<Record<'pass' | Fault, string>> = {
  fails: 'the plan lets it fail',
  ended: 'the plan has ended its backend before it',
  unanswered: 'done, and the plan loses the answer',
}

function short(sql: string): string {
  const line = sql.trim().replaceAll(/\s+/g, ' ')
  return line.length > SHOWN_OF_A_STATEMENT ? `${line.slice(0, SHOWN_OF_A_STATEMENT)}…` : line
}

/** https://www.postgresql.org/docs/17/protocol-message-formats.html */
function outcomeOf(answer: Buffer | null): string {
  if (answer === null) return 'the connection ended'
  const done: string[] = []
  for (let at = 0; at < answer.length; at += answer.readInt32BE(at + 1) + 1) {
    const body = answer.subarray(at + 5, at + 1 + answer.readInt32BE(at + 1)).toString()
    if (answer[at] === COMPLETE) done.push(body.replace('\0', ''))
    if (answer[at] === ERROR) done.push(sayError(body))
  }
  return done.join(', ') || 'nothing'
}

function sayError(body: string): string {
  const fields = new Map(body.split('\0').map((field) => [field[0], field.slice(1)]))
  return `error ${fields.get('C')}: ${fields.get('M')}`
}
