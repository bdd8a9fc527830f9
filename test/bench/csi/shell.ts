/**
 * Scripts as a person runs them. They are started by a shell that is there already: started from this process each would cost the
 * fork of its 100 MB, which no person pays.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { BerthError } from '../../../kit/errors.ts';

export class Shell {
  readonly #child: ChildProcess;
  #said = '';

  constructor() {
    this.#child = spawn('sh', [], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (text: Buffer) => (this.#said = `${this.#said}${text.toString()}`.slice(-2_000)));
  }

  /** Runs the script by `sh -e` with its arguments, which hold nothing that a shell takes for more than a word. Throws what it said. */
  async run(script: string, ...args: readonly string[]): Promise<void> {
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new TypeError('no pipes');
    const quoted = `'${script.replaceAll("'", `'\\''`)}'`;
    stdin.write(`sh -ec ${quoted} sh ${args.join(' ')} </dev/null; echo "exit $?"\n`);
    let output = '';
    while (!/^exit \d+\n$/m.test(output)) {
      const [chunk] = (await once(stdout, 'data')) as [Buffer];
      output += chunk.toString();
    }
    if (!output.endsWith('exit 0\n')) throw new BerthError('IO_FAILED', `a script failed: ${this.#said || output}`);
  }

  end(): void {
    this.#child.stdin?.end();
  }
}
