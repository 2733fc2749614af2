import { setFlagsFromString } from 'node:v8'

// The parser is WebAssembly and runs for less than a second: V8 would take up to 300 MB to compile it a second time.
setFlagsFromString('--no-wasm-tier-up')
setFlagsFromString('--no-wasm-dynamic-tiering')

/** Postgres' own parser. */
export const { hasSqlDetails, parse } = await import('libpg-query')
