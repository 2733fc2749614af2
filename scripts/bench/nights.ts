import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Report, reportSchema } from '../../audits/reports/report.ts'

/** What one run of the audit took. */
export interface Night {
  readonly ms: number
  /** The most memory that the audit's process held, in bytes. */
  readonly peak: number
  readonly report: Report
}

/** Runs of the audit's command on one target that follow each other in one history. */
export class Nights {
  readonly #directory: string
  readonly #url: string

  private constructor(directory: string, url: string) {
    this.#directory = directory
    this.#url = url
  }

  static async of(url: string): Promise<Nights> {
    return new Nights(await mkdtemp(join(tmpdir(), 'token-audit-bench-')), url)
  }

  /** The next night, in a process of its own. */
  async next(): Promise<Night> {
    const [json, peak] = ['report.json', 'peak'].map((name) => join(this.#directory, name)) as [
      string,
      string,
    ]
    const began = performance.now()
    await this.#audit(json, peak)
    const ms = performance.now() - began
    const report = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
    return { ms, peak: Number(await readFile(peak, 'utf8')), report }
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true })
  }

  #audit(json: string, peak: string): Promise<void> {
    const command = [
      ...['--import', join(import.meta.dirname, 'peak-memory.ts'), join(import.meta.dirname, '../audit.ts')],
      ...['--target', `large=${this.#url}`, '--history', join(this.#directory, 'history'), '--json', json],
      ...['--budget', '1h'],
    ]
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, command, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { PATH: process.env.PATH, PEAK_MEMORY_FILE: peak },
      })
      child.on('error', reject)
      child.on('close', (exit) =>
        exit !== null && exit <= 2 ? resolve() : reject(new Error(`the audit ended with ${exit}`)),
      )
    })
  }
}
