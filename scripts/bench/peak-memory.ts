import { writeFileSync } from 'node:fs'

// Imported before a command, as `node --import`: leaves the most memory that the process ever held, in bytes.
const file = process.env.PEAK_MEMORY_FILE
if (file === undefined) throw new Error('PEAK_MEMORY_FILE must name a file')
process.on('exit', () => writeFileSync(file, String(process.resourceUsage().maxRSS * 1024)))
