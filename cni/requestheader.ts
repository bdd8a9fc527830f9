/** The header of a request frame, from the socket or from the queue: checked, and in a protocol this agent knows. */
import { z } from 'zod';
import { commonProtocol, oldestProtocol, protocolVersion } from './protocol.ts';

const headerSchema = z.looseObject({ protocol: z.int(), oldest: z.int().optional() });
const requestSchema = z.looseObject({ variables: z.record(z.string(), z.string()) });

export type DecodedHeader = { readonly variables: Readonly<Record<string, string>> } | { readonly refusal: string };

const range =
  (oldestProtocol as number) === protocolVersion ? `${protocolVersion}` : `${oldestProtocol} to ${protocolVersion}`;

/** The variables of a request, or a sentence why there are none for us. */
export function decodeHeader(header: unknown): DecodedHeader {
  const version = headerSchema.safeParse(header);
  if (!version.success || commonProtocol(version.data.protocol, version.data.oldest) === undefined)
    return {
      refusal: `the agent speaks protocol ${range}, the executable ${version.data?.protocol ?? 'none'}; the agent replaces the executable when it starts`,
    };
  const request = requestSchema.safeParse(header);
  return request.success ? { variables: request.data.variables } : { refusal: 'the request has no variables' };
}
