/** Reads the NodeConfig a command was given; what is wrong with it goes to standard error. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf } from '../../kit/errors.ts';
import { formatProblem } from '../../kit/config/problem.ts';
import { loadNodeConfig } from '../nodeconfig.ts';
import type { NodeConfig } from '../nodeconfig.ts';

/**
 * The checked configuration, or undefined after its problems were printed (the command then exits with 2).
 * `nodeName` stands in for `agent.nodeName` where the file has none.
 */
export async function readNodeConfig(file: string, nodeName: string | undefined): Promise<NodeConfig | undefined> {
  let content: string;
  try {
    content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    process.stderr.write(`berth: the NodeConfig cannot be read: ${messageOf(error)}\n`);
    return undefined;
  }
  const loaded = loadNodeConfig(content, nodeName);
  if ('config' in loaded) return loaded.config;
  const lines = loaded.problems.map((problem) => `${formatProblem(file, problem)}\n`);
  const count = loaded.problems.length === 1 ? '1 problem' : `${loaded.problems.length} problems`;
  process.stderr.write(`${lines.join('')}berth: ${file} has ${count}\n`);
  return undefined;
}
