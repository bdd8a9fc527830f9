/** Name servers for the answer of ADD. Berth sets none up itself: the runtime does, from the answer or from the pod. */
import { z } from 'zod';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';
import { lowerKeys } from './wishes.ts';

/** The member `dns` of a result (CNI specification 1.1.0, section 5); no empty members. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

// Somebody writes these into lines of a resolv.conf.
const text = z
  .string()
  .max(1_024)
  .regex(/^[^\0-\x1f\x7f]*$/, 'expected text without control characters');
const texts = z.array(text).max(128).nullish();

const givenSchema = z.looseObject({
  dns: z.looseObject({ nameservers: texts, domain: text.nullish(), search: texts, options: texts }).nullish(),
  runtimeConfig: z
    .looseObject({
      dns: z.preprocess(lowerKeys, z.looseObject({ servers: texts, searches: texts, options: texts }).nullish()),
    })
    .nullish(),
});

/**
 * What a network configuration says of name servers, each member from `runtimeConfig` before `dns`; undefined when it is
 * silent, empty when `dns` is there with empty members: then the name servers of plugins before us do not count, as with
 * the reference plugin ptp. Throws CniError with code 7.
 */
export function decodeDns(config: Record<string, unknown>): Dns | undefined {
  const checked = givenSchema.safeParse(config);
  if (!checked.success)
    throw new CniError(
      cniCode.invalidNetworkConfig,
      `the network configuration has invalid name servers: ${checked.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
        .join('; ')}`,
    );
  const fixed = checked.data.dns ?? {};
  const runtime = checked.data.runtimeConfig?.dns ?? {};
  const said = [fixed.nameservers, fixed.search, fixed.options].some(Array.isArray) || isFull(fixed.domain);
  const nameservers = firstFull(runtime.servers, fixed.nameservers);
  const domain = firstFull(fixed.domain);
  const search = firstFull(runtime.searches, fixed.search);
  const options = firstFull(runtime.options, fixed.options);
  const dns = {
    ...(nameservers === undefined ? {} : { nameservers }),
    ...(domain === undefined ? {} : { domain }),
    ...(search === undefined ? {} : { search }),
    ...(options === undefined ? {} : { options }),
  };
  return said || Object.keys(dns).length > 0 ? dns : undefined;
}

function isFull(value: string | readonly string[] | null | undefined): boolean {
  return (value ?? '').length > 0;
}

function firstFull<T extends string | readonly string[]>(...values: readonly (T | null | undefined)[]): T | undefined {
  return values.find(isFull) ?? undefined;
}
