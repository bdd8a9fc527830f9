/** How protocol buffers look in JavaScript: one set of options for the run-time loader and for the generated types. */
import type { Options } from '@grpc/proto-loader';

/**
 * Field names as published (`ID`, `available_deviceIDs`), 64-bit integers as decimal strings, enum values by name,
 * absent scalars with their defaults, absent messages `null`, and for each oneof a field that names the member set.
 */
export const loaderOptions = {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
} as const satisfies Options;

/** The same as arguments of proto-loader-gen-types. */
export const generatorArguments = ['--keepCase', '--longs=String', '--enums=String', '--defaults', '--oneofs'] as const;
