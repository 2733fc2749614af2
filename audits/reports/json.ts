import { z } from 'zod'
import { type Report, reportSchema } from './report.ts'

/** The report as JSON; `report.schema.json` describes it. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`
}

/** The text of `report.schema.json`. */
export function renderSchema(): string {
  const schema = z.toJSONSchema(reportSchema)
  return `${JSON.stringify({ title: "Report of the token ledger's audit, version 1", ...schema }, null, 2)}\n`
}
