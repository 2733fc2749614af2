/** Where a migration does something. */
export interface Where {
  /** A path as it was given. */
  readonly file: string
  readonly line: number
}

/** One thing that a schema change does. */
export interface Finding {
  /** `harm` decides the verdict; `better` is what was wrong before and no longer is; `note` is for the reader. */
  readonly level: 'harm' | 'better' | 'note'
  readonly what: string
  readonly where?: Where | undefined
}
