/**
 * The two ways to a kubelet: calling Register on `kubelet.sock`, or offering a socket where its plugin watcher finds it. A
 * session makes one attempt per generation, and each has its own socket.
 */
import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import type { KeyedLock } from '../../kit/keyedlock.ts';
import { untilAborted } from '../../kit/untilaborted.ts';
import { pluginRegistration, pluginRegistryDirectory } from '../../kubelet/pluginregistration.ts';
import { devicePluginDirectory, kubeletSocket, registerDevicePlugin } from '../../kubelet/registration.ts';
import { identityOf } from '../../kubelet/socketidentity.ts';
import { answers } from '../../protos/serve.ts';
import type { ServiceHandlers } from '../../protos/serve.ts';
import type { KubeletSign } from './nextattempt.ts';

export interface Approach {
  /** Where our sockets have to be; it may be absent for a while. */
  readonly directory: string;
  /** How a kubelet that has started anew is told from the one before. */
  readonly sign: KubeletSign;
  /** What is missing for an attempt, as a sentence; undefined when nothing is. */
  missing(): Promise<string | undefined>;
  attempt(resource: string): Promise<Attempt>;
}

export interface Attempt {
  /** What our socket serves beside the device plugin. */
  readonly services: ServiceHandlers;
  /** What `register` waits for, for people. */
  waitsFor(path: string): string;
  /** Resolves when the kubelet has accepted the socket at `path`; throws its refusal, or when `signal` fires. */
  register(path: string, signal: AbortSignal): Promise<void>;
  /** Why the kubelet that accepted is no longer there; undefined while it may be. */
  ended(): Promise<string | undefined>;
}

/**
 * By `kubelet.sock`. `registrations` is shared by all resources: one at a time keeps the kubelet's load low. A kubelet that
 * starts makes the socket anew and has removed ours.
 */
export function socketApproach(rootDir: string, registrations: KeyedLock): Approach {
  const directory = join(rootDir, devicePluginDirectory);
  const kubelet = join(directory, kubeletSocket);
  return {
    directory,
    sign: signOf(rootDir),
    missing: async () => ((await answers(kubelet)) ? undefined : `nobody answers on ${kubelet}`),
    attempt: async (resource) => {
      const identity = await identityOf(kubelet);
      return {
        services: {},
        waitsFor: () => 'the kubelet is being asked',
        register: (path, signal) =>
          registrations.run('register', async () => {
            signal.throwIfAborted();
            await registerDevicePlugin(kubelet, { endpoint: basename(path), resource }, signal);
          }),
        ended: async () =>
          (await identityOf(kubelet)) === identity
            ? undefined
            : 'kubelet.sock is a new one or gone: the kubelet restarted',
      };
    },
  };
}

/**
 * By the plugin watcher: our socket lies in the kubelet's registry and serves both, so that there is no second one which a
 * starting kubelet would remove. Kubelets before 1.29 call it with an `:authority` that Node refuses.
 */
export function watcherApproach(rootDir: string): Approach {
  const directory = join(rootDir, pluginRegistryDirectory);
  return {
    directory,
    sign: signOf(rootDir),
    missing: () =>
      access(directory).then(
        () => undefined,
        () => `there is no ${directory}: the kubelet makes it`,
      ),
    attempt: (resource) => {
      const outcome = Promise.withResolvers<undefined>();
      // Nobody may be waiting when the kubelet refuses a second time.
      outcome.promise.catch(() => undefined);
      const handlers = pluginRegistration(
        { type: 'DevicePlugin', name: resource, endpoint: '', versions: ['v1beta1'] },
        (refusal) => {
          if (refusal === undefined) outcome.resolve(undefined);
          else outcome.reject(new BerthError('FAILED_PRECONDITION', refusal));
        },
      );
      return Promise.resolve({
        services: { 'pluginregistration.Registration': handlers },
        waitsFor: (path: string) => `the kubelet has not accepted ${path} yet`,
        register: async (_path: string, signal: AbortSignal) => {
          await Promise.race([outcome.promise, untilAborted(signal)]);
        },
        ended: () => Promise.resolve(undefined),
      });
    },
  };
}

/** Every kubelet makes this socket anew when it starts, whichever way it is approached. */
function signOf(rootDir: string): KubeletSign {
  const directory = join(rootDir, devicePluginDirectory);
  return { directory, read: () => identityOf(join(directory, kubeletSocket)) };
}
