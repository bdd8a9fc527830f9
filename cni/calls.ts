/** One CNI call from end to end: decode, do, encode. Here errors become CNI codes, and nowhere else. */
import type { Logger } from '../kit/log.ts';
import type { RecentCalls } from '../kit/recentcalls.ts';
import type { Attacher } from './attacher.ts';
import { CniError, toCniError } from './errors.ts';
import type { NetworkMetrics } from './metrics.ts';
import { cniCode, errorText } from './protocol.ts';
import { noteCall } from './recent.ts';
import { decodeRequest, versionOf } from './request.ts';
import type { CniRequest } from './request.ts';
import { loopbackResult, nothingMade, resultText } from './result.ts';
import type { Handler, Reply } from './server.ts';

export interface CallParts {
  readonly attacher: Attacher;
  /** Why an ADD would fail now, or undefined. */
  readonly notReady: () => string | undefined;
  /** Whether attached pods lack connections now. */
  readonly podsAreCutOff: () => boolean;
  readonly metrics: NetworkMetrics;
  readonly recent: RecentCalls;
  readonly log: Logger;
  readonly now: () => number;
}

const operations = new Set(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS']);

/** The handler of calls. It never rejects. */
export function createHandler(parts: CallParts): Handler {
  return async (variables, stdin) => {
    const started = performance.now();
    const asked = variables['CNI_COMMAND'] ?? '';
    const op = operations.has(asked) ? asked : 'other';
    let code = 0;
    let reply: Reply;
    try {
      reply = { exit: 0, stdout: await perform(parts, decodeRequest(variables, stdin)) };
    } catch (thrown) {
      const error = toCniError(thrown);
      code = error.code;
      reply = { exit: 1, stdout: errorText(versionOf(stdin), error.code, error.message, error.details) };
      const level = op === 'STATUS' ? 'debug' : 'warn';
      parts.log[level]({ op, code, error: error.message, ...subject(variables) }, 'CNI call refused');
    }
    const seconds = (performance.now() - started) / 1000;
    parts.metrics.observe(op, code, seconds);
    noteCall(parts.recent, { op, variables, code, seconds });
    if (code === 0) parts.log.debug({ op, ms: Math.round(seconds * 1e4) / 10, ...subject(variables) }, 'CNI call done');
    return reply;
  };
}

/** Who a call is about, cut to a length that a log bears. */
function subject(variables: Readonly<Record<string, string>>): Record<string, string | undefined> {
  return {
    container: variables['CNI_CONTAINERID']?.slice(0, 80),
    interface: variables['CNI_IFNAME']?.slice(0, 20),
    netns: variables['CNI_NETNS']?.slice(0, 200),
  };
}

/** Does the call; returns what goes to standard output. */
async function perform({ attacher, notReady, podsAreCutOff, now }: CallParts, request: CniRequest): Promise<string> {
  switch (request.command) {
    case 'ADD':
      if (request.loopback) {
        await attacher.loopback(request.netns);
        // What was before it is passed on as it came, as by the reference plugin.
        return request.previous === undefined
          ? resultText(loopbackResult(request.netns), request.cniVersion)
          : resultText(nothingMade, request.cniVersion, request);
      }
      return resultText(await attacher.add(request), request.cniVersion, request);
    case 'DEL':
      // The loopback interface goes with its namespace.
      if (!request.loopback) await attacher.remove(request.key);
      return '';
    case 'CHECK':
      if (!request.loopback) await attacher.check(request);
      return '';
    case 'GC':
      // Without a list nothing is said about what is valid; an empty list says that nothing is.
      if (request.valid !== undefined) await attacher.collect(request.network, request.valid, now());
      return '';
    case 'STATUS': {
      const reason = notReady();
      if (reason !== undefined)
        throw new CniError(podsAreCutOff() ? cniCode.limitedConnectivity : cniCode.notAvailable, reason);
      return '';
    }
  }
}
