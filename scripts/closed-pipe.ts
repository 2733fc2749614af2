/** A reader that went away, as in `| head`, ends no work that has begun: what is left to say is said to nobody. */
export function outliveReader(): void {
  process.stdout.on('error', () => {})
}
