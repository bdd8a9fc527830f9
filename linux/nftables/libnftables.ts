/** The kernel's nftables through libnftables.so.1 in this process: 0.06 ms for an element where a process `nft` takes 4 ms. */
import koffi from 'koffi';
import { BerthError } from '../../kit/errors.ts';
import { GenerationSocket } from './generation.ts';
import type { NftCommand, NftTableState, Nftables } from './nftables.ts';
import { render } from './render.ts';

type Context = object;

interface Library {
  create(flags: number): Context | null;
  free(context: Context): void;
  bufferOutput(context: Context): number;
  bufferError(context: Context): number;
  setOutputFlags(context: Context, flags: number): void;
  output(context: Context): string;
  error(context: Context): string;
  /** On a worker thread: a commit waits for an RCU grace period when it deletes (16 ms). */
  run(context: Context, commands: string): Promise<number>;
}

const outputJson = 1 << 4; // NFT_CTX_OUTPUT_JSON

function load(): Library {
  let library;
  try {
    library = koffi.load('libnftables.so.1');
  } catch (error) {
    throw new BerthError(
      'FAILED_PRECONDITION',
      'libnftables.so.1 cannot be loaded; install the package libnftables1 (Debian) or nftables',
      { cause: error },
    );
  }
  const run = library.func('int nft_run_cmd_from_buffer(void *ctx, const char *buf)');
  return {
    create: library.func('void *nft_ctx_new(uint32_t flags)') as Library['create'],
    free: library.func('void nft_ctx_free(void *ctx)') as Library['free'],
    bufferOutput: library.func('int nft_ctx_buffer_output(void *ctx)') as Library['bufferOutput'],
    bufferError: library.func('int nft_ctx_buffer_error(void *ctx)') as Library['bufferError'],
    setOutputFlags: library.func(
      'void nft_ctx_output_set_flags(void *ctx, unsigned int flags)',
    ) as Library['setOutputFlags'],
    output: library.func('const char *nft_ctx_get_output_buffer(void *ctx)') as Library['output'],
    error: library.func('const char *nft_ctx_get_error_buffer(void *ctx)') as Library['error'],
    run: (context, commands) =>
      new Promise((resolve, reject) => {
        run.async(context, commands, (error: Error | null, result: number) => {
          if (error === null) resolve(result);
          else reject(error);
        });
      }),
  };
}

interface JsonObject {
  readonly set?: { readonly name: string; readonly elem?: readonly unknown[] };
  readonly map?: { readonly name: string; readonly elem?: readonly unknown[] };
  readonly chain?: { readonly name: string };
  readonly rule?: { readonly chain: string };
}

/** An element as libnftables-json(5) writes it: an address, a prefix object, a concatenation, or a pair of a map. */
function elementText(element: unknown): string {
  if (Array.isArray(element)) return element.map(elementText).join(' : ');
  if (typeof element === 'object' && element !== null && 'concat' in element)
    return (element.concat as readonly unknown[]).map(String).join(' . ');
  if (typeof element === 'object' && element !== null && 'prefix' in element) {
    const { addr, len } = element.prefix as { readonly addr: string; readonly len: number };
    return `${addr}/${len}`;
  }
  const address = String(element);
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

function stateOf(json: string): NftTableState {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly JsonObject[] };
  const sets = new Map<string, readonly string[]>();
  const chains = new Map<string, number>();
  for (const { set: plain, map, chain, rule } of nftables) {
    const set = plain ?? map;
    if (set !== undefined) sets.set(set.name, (set.elem ?? []).map(elementText).sort());
    if (chain !== undefined) chains.set(chain.name, 0);
    if (rule !== undefined) chains.set(rule.chain, (chains.get(rule.chain) ?? 0) + 1);
  }
  return { sets, chains };
}

class KernelNftables implements Nftables {
  readonly #library: Library;
  readonly #context: Context;
  #tail: Promise<unknown> = Promise.resolve();
  // From the beginning, as it belongs to the network namespace that this thread is in then, like the context.
  readonly #generations = new GenerationSocket();
  #closed = false;

  constructor(library: Library) {
    const context = library.create(0);
    if (context === null) throw new BerthError('FAILED_PRECONDITION', 'libnftables cannot open its netlink socket');
    library.bufferOutput(context);
    library.bufferError(context);
    library.setOutputFlags(context, outputJson);
    this.#library = library;
    this.#context = context;
  }

  async run(commands: readonly NftCommand[]): Promise<void> {
    const text = render(commands);
    await this.#inTurn(async () => {
      if ((await this.#library.run(this.#context, text)) === 0) return;
      const words = this.#library.error(this.#context).trim();
      throw new BerthError(
        /No such file or directory|does not exist/.test(words) ? 'NOT_FOUND' : 'INTERNAL',
        `nftables refused a transaction: ${words}`,
      );
    });
  }

  async list(table: string): Promise<NftTableState | undefined> {
    return await this.#inTurn(async () => {
      if ((await this.#library.run(this.#context, `list table inet ${table}`)) === 0)
        return stateOf(this.#library.output(this.#context));
      const words = this.#library.error(this.#context).trim();
      if (/No such file or directory/.test(words)) return undefined;
      throw new BerthError('INTERNAL', `nftables cannot list the table inet ${table}: ${words}`);
    });
  }

  async generation(): Promise<number> {
    return await this.#inTurn(() => this.#generations.read());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#tail.then(() => {
      this.#generations.close();
      this.#library.free(this.#context);
    });
  }

  /** A context serves one call at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new BerthError('INTERNAL', 'the nftables context is closed');
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }
}

let loaded: Library | undefined;

/** Opens nftables of the network namespace this thread is in; it stays bound to that one. */
export function openNftables(): Nftables {
  loaded ??= load();
  return new KernelNftables(loaded);
}
