/** A device plugin that does as a test says, also what Berth's own never does, and counts what it is asked. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import { Latest } from '../../kit/latest.ts';
import { createLogger } from '../../kit/log.ts';
import { devicePluginDirectory, kubeletSocket, registerDevicePlugin } from '../../kubelet/registration.ts';
import { serve } from '../../protos/serve.ts';

export type Health = 'Healthy' | 'Unhealthy';

/** What fails, with these words. */
export interface PluginScript {
  readonly failOptions?: string;
  readonly failFirstList?: string;
}

export interface ScriptedPlugin {
  readonly resource: string;
  /** How often it was asked. */
  readonly calls: { readonly options: number; readonly lists: number };
  /** Rejects with the kubelet's refusal. */
  register(): Promise<void>;
  /** The health of its devices from now on. At the beginning it has one, and that is healthy. */
  set(...devices: readonly Health[]): void;
  /** Ends the stream that is open with an error. */
  failList(): void;
  /** Ends as a process does. */
  stop(): Promise<void>;
}

/** Serves in the directory of device plugins of the kubelet with this root; nobody knows of it until it registers. */
export async function servePlugin(
  rootDir: string,
  resource: string,
  script: PluginScript = {},
): Promise<ScriptedPlugin> {
  const directory = join(rootDir, devicePluginDirectory);
  const endpoint = `scripted-${randomBytes(4).toString('hex')}.sock`;
  const calls = { options: 0, lists: 0 };
  const state = new Latest<readonly Health[] | undefined>(['Healthy']);
  const server = await serve({
    path: join(directory, endpoint),
    log: createLogger('error', { write: () => undefined }),
    services: {
      'v1beta1.DevicePlugin': {
        GetDevicePluginOptions: () => {
          calls.options++;
          if (script.failOptions !== undefined) throw new BerthError('FAILED_PRECONDITION', script.failOptions);
          return {};
        },
        ListAndWatch: async (_request, stream) => {
          calls.lists++;
          if (script.failFirstList !== undefined) throw new BerthError('FAILED_PRECONDITION', script.failFirstList);
          const ended = new Promise((resolve) => {
            stream.signal.addEventListener('abort', resolve, { once: true });
          });
          while (!stream.signal.aborted) {
            const { changed, value } = state;
            if (value === undefined) throw new BerthError('FAILED_PRECONDITION', 'the list ends here');
            await stream.send({ devices: value.map((health, index) => ({ ID: `device-${index}`, health })) });
            await Promise.race([changed, ended]);
          }
        },
      },
    },
  });
  return {
    resource,
    calls,
    register: () =>
      registerDevicePlugin(join(directory, kubeletSocket), { endpoint, resource }, AbortSignal.timeout(60_000)),
    set: (...devices) => {
      state.set(devices);
    },
    failList: () => {
      state.set(undefined);
    },
    stop: () => server.stop(),
  };
}
