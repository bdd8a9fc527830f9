/** Metrics of the pod network, in the registry the agent passes in. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Family } from '../linux/ipaddress.ts';

export interface NetworkMetrics {
  /** Counts a call. `code` is 0 for success, else the CNI code. */
  observe(op: string, code: number, seconds: number): void;
}

/** `addresses` yields the current numbers of each family; none while the service is not started. */
export function createMetrics(
  registry: Registry,
  addresses: () => readonly {
    readonly family: Family;
    readonly used: number;
    readonly free: number;
    readonly cooling: number;
  }[],
): NetworkMetrics {
  const requests = new Counter({
    name: 'berth_cni_requests_total',
    help: 'CNI calls by operation and CNI code (0 is success).',
    labelNames: ['op', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'berth_cni_request_duration_seconds',
    help: 'Time the agent spends on a CNI call, without the executable.',
    labelNames: ['op'],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers: [registry],
  });
  new Gauge({
    name: 'berth_cni_addresses',
    help: 'Addresses of the pod ranges by family and state: used, free, and cooling, which are those of the free that were given back in the last 30 s.',
    labelNames: ['family', 'state'],
    registers: [registry],
    collect() {
      for (const { family, used, free, cooling } of addresses()) {
        this.set({ family: `ipv${family}`, state: 'used' }, used);
        this.set({ family: `ipv${family}`, state: 'free' }, free);
        this.set({ family: `ipv${family}`, state: 'cooling' }, cooling);
      }
    },
  });
  return {
    observe: (op, code, seconds) => {
      requests.inc({ op, code: String(code) });
      duration.observe({ op }, seconds);
    },
  };
}
