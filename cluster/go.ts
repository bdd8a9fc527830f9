/** Finds a Go that can build our modules. */
import { globSync } from 'node:fs';
import { BerthError } from '../kit/errors.ts';
import { run } from './command.ts';

export interface Go {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** From 1.21 on Go fetches by itself the version that a go.mod asks for. */
const oldestMinor = 21;
/** The newest `go` line among our modules. */
const wantedMinor = 26;

/** The minor version in the output of `go version`, or undefined. */
export function parseGoMinor(output: string): number | undefined {
  const match = /\bgo1\.(\d+)/.exec(output);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** The newest usable Go. Errors: FAILED_PRECONDITION that says which versions were found. */
export async function findGo(): Promise<Go> {
  const candidates = ['go', '/usr/local/go/bin/go', ...globSync('/usr/lib/go-1.*/bin/go').toSorted().reverse()];
  const found: string[] = [];
  for (const path of candidates) {
    const result = await run(path, ['version']).catch(() => undefined);
    const minor = result?.code === 0 ? parseGoMinor(result.stdout) : undefined;
    if (minor === undefined) continue;
    // A machine may forbid fetching toolchains; then only a Go that is new enough will do, and go says so itself.
    if (minor >= oldestMinor) return { path, env: minor >= wantedMinor ? {} : { GOTOOLCHAIN: 'auto' } };
    found.push(`1.${minor}`);
  }
  const seen = found.length === 0 ? 'there is none' : `there is only ${found.join(', ')}`;
  throw new BerthError(
    'FAILED_PRECONDITION',
    `Kubernetes is built from source and needs Go 1.${oldestMinor} or newer, ${seen}: install the Debian package golang-go (bookworm: from backports)`,
  );
}
