import { z } from 'zod'
import { type Report, reportSchema } from './report.ts'

/** The report as it is, in the shape of report.schema.json. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`
}

/** What report.schema.json must say. */
export function jsonSchema(): unknown {
  return {
    ...z.toJSONSchema(reportSchema),
    title: 'Report of the token audit',
    description: 'Version 2. A change that a reader of version 2 could stumble over is a new version.',
  }
}
