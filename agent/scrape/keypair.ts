/** The certificate and key with which metrics are served, from files that somebody renews. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import { watchDirectory } from '../../kit/directorywatch.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { KeyPair } from './certificate.ts';

export interface KeyPairFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface FollowOptions {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Milliseconds between looks that do not wait for an event. */
  readonly pollMs?: number;
}

/**
 * Calls `use` with the pair, and again after each change of it. What cannot be used (missing, half written, a key of another certificate)
 * is reported once and the one before stays in use.
 */
export function followKeyPair(files: KeyPairFiles, use: (pair: KeyPair) => void, options: FollowOptions): void {
  const { log, signal, pollMs = 10_000 } = options;
  let used = '';
  let reported: string | undefined;
  const look = async (): Promise<void> => {
    try {
      const pair = await readPair(files);
      const content = pair.cert + pair.key;
      reported = undefined;
      if (content === used) return;
      used = content;
      use(pair);
      log.info({ event: 'metrics.certificate', ...files }, 'the certificate for metrics is in use');
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== reported) log.error({ event: 'metrics.certificate_unusable', ...files }, reason);
      reported = reason;
    }
  };
  // A Secret is changed by a link beside the files, which is a coming and going in their folder.
  watchDirectory(dirname(files.certFile), look, { signal, pollMs });
}

async function readPair({ certFile, keyFile }: KeyPairFiles): Promise<KeyPair> {
  // One after the other, so that of two that are missing the same is named each time.
  const cert = await readFile(certFile, 'utf8');
  const key = await readFile(keyFile, 'utf8');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`${certFile} and ${keyFile} are no certificate and its key in PEM: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return { cert, key };
}
