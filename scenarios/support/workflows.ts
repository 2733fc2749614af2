import { validateAction, validateWorkflow } from '@action-validator/core'

/** What GitHub would refuse in this workflow, by its schema; one line each. */
export function schemaErrors(workflow: string): string[] {
  return validateWorkflow(workflow).errors.map(sayError)
}

/** The same of an action. */
export function actionErrors(action: string): string[] {
  return validateAction(action).errors.map(sayError)
}

function sayError(error: ReturnType<typeof validateWorkflow>['errors'][number]): string {
  const place = 'path' in error && error.path !== '' ? `${error.path}: ` : ''
  return `${place}${error.title}${error.detail ? `: ${error.detail}` : ''}`
}

/**
 * What GitHub would accept in this workflow and we do not; one line each. Read line by line, since the versions of
 * pinned actions are comments; what is written in another style is reported as missing.
 */
export function houseErrors(workflow: string): string[] {
  const errors: string[] = []
  const [head = '', body = ''] = workflow.split(/^jobs:\n/m)
  for (const key of ['permissions', 'concurrency'])
    if (!new RegExp(`^${key}:`, 'm').test(head)) errors.push(`no ${key} for the whole workflow`)
  const jobs = body.split(/^(?= {2}[\w-]+:$)/m).filter((job) => /^ {2}[\w-]/.test(job))
  if (jobs.length === 0) errors.push('no jobs')
  for (const job of jobs)
    if (!/^ {4}timeout-minutes: \d+$/m.test(job))
      errors.push(`no timeout-minutes for ${job.trim().split(':')[0]}`)
  // An action of the checkout itself is of the commit that was checked out.
  for (const [, used = ''] of workflow.matchAll(/\buses:(?! \.\/)(.*)/g))
    if (!/^ [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(used))
      errors.push(`not pinned by SHA, with its version:${used}`)
  // A job that holds no secret may write; one that can reach production may not.
  const trusted = jobs.filter((job) => !/\bsecrets\.|^ {4}environment:/m.test(job))
  for (const part of [head, ...jobs.filter((job) => !trusted.includes(job))])
    for (const [write] of part.matchAll(/^ *[\w-]+: *write(?:-all)?$/gm))
      errors.push(`may write: ${write.trim()}`)
  if (/\bpull_request_target\b/.test(workflow)) errors.push('pull_request_target gives secrets to forks')
  return errors
}

/** The scripts of package.json that a text tells somebody to run. */
export function npmScripts(text: string): string[] {
  return [...text.matchAll(/\bnpm (?:run (?:-\S+ )*)?([\w:.-]+)/g)].flatMap(([whole, script = '']) =>
    whole.startsWith('npm run ') || ['test', 'start'].includes(script) ? [script] : [],
  )
}

/** The shell lines of the step with this name. */
export function shellOf(workflow: string, step: string): string {
  const lines = workflow.split('\n')
  const start = lines.indexOf('        run: |', lines.indexOf(`      - name: ${step}`)) + 1
  const length = lines.slice(start).findIndex((line) => !/^ {10}|^$/.test(line))
  if (start === 0 || length < 1) throw new Error(`no step "${step}" with shell lines`)
  return lines
    .slice(start, start + length)
    .map((line) => line.slice(10))
    .join('\n')
}
