/** Progress of a long step: a bar that redraws itself on a terminal, a plain line every few seconds elsewhere. */

export interface Progress {
  /** `done` of `total`; a total of 0 means not known yet. `note` is shown behind. */
  update(done: number, total: number, note: string): void;
  /** Ends the step with a last line. */
  finish(text: string): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const plainIntervalMs = 5000;
const barWidth = 30;

/** A line like `Kubernetes [#####-----] 50 % 1200/2400 k8s.io/api`, cut to `columns`. */
export function formatProgress(title: string, done: number, total: number, note: string, columns: number): string {
  if (total === 0) return `${title}: ${note}`.slice(0, columns);
  const part = Math.min(1, done / total);
  const filled = Math.round(part * barWidth);
  const bar = `${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}`;
  return `${title} [${bar}] ${Math.floor(part * 100)} % ${done}/${total} ${note}`.slice(0, columns);
}

/** Progress on `output` (stderr, unless told), because stdout is for results. */
export function startProgress(title: string, output: Output = process.stderr): Progress {
  const terminal = output.isTTY === true;
  let lastPlain = 0;
  return {
    update(done, total, note) {
      if (terminal) {
        output.write(`\r\u001b[2K${formatProgress(title, done, total, note, (output.columns ?? 100) - 1)}`);
      } else if (Date.now() - lastPlain >= plainIntervalMs) {
        lastPlain = Date.now();
        output.write(`${formatProgress(title, done, total, note, 160)}\n`);
      }
    },
    finish(text) {
      output.write(`${terminal ? '\r\u001b[2K' : ''}${title}: ${text}\n`);
    },
  };
}
