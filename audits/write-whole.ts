import { lstat, open, rename, writeFile } from 'node:fs/promises'

/**
 * Writes a file that nobody ever sees half of. What is no file (a pipe, /dev/stdout) is written to as it is.
 *
 * @throws what the file system says
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  if (!(await isFileOrNothing(path))) return writeFile(path, text)
  const part = `${path}.part`
  const file = await open(part, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, path)
}

/** Whether a path may be replaced by a file: it is one, or there is nothing. */
export async function isFileOrNothing(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return found === undefined || found.isFile()
}
