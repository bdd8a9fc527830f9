/** `berth validate FILE`: every problem of a NodeConfig at once, one a line. */
import { readNodeConfig } from './readnodeconfig.ts';

/** Prints the verdict on standard output, or the problems on standard error; resolves to the exit code. */
export async function validate(file: string): Promise<number> {
  // The file is for many nodes, and is checked on none of them: the name comes when the agent runs there.
  const config = await readNodeConfig(file, 'any-node');
  if (config === undefined) return 2;
  process.stdout.write(`${file}: valid\n`);
  return 0;
}
