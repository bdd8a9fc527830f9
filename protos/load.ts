/** Loading the .proto files at run time: which service is defined in which file, and where the files lie. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { loaderOptions } from './options.ts';
import type { ServiceName } from './services.ts';

/** The .proto file of each service, relative to this folder. */
const fileOf: Readonly<Record<ServiceName, string>> = {
  'v1beta1.Registration': 'deviceplugin/v1beta1/deviceplugin.proto',
  'v1beta1.DevicePlugin': 'deviceplugin/v1beta1/deviceplugin.proto',
  'pluginregistration.Registration': 'pluginregistration/v1/pluginregistration.proto',
  'v1.PodResourcesLister': 'podresources/v1/podresources.proto',
  'csi.v1.Identity': 'csi/v1/csi.proto',
  'csi.v1.Controller': 'csi/v1/csi.proto',
  'csi.v1.GroupController': 'csi/v1/csi.proto',
  'csi.v1.SnapshotMetadata': 'csi/v1/csi.proto',
  'csi.v1.Node': 'csi/v1/csi.proto',
};

/**
 * The folder of the .proto files. Run from source this file stands in it. In the bundle (one file) the folder `protos/`
 * lies beside the bundle, with the same tree below it: `protos/deviceplugin/v1beta1/deviceplugin.proto` and so on.
 */
function protoFolder(): string {
  const beside = join(import.meta.dirname, 'protos');
  return existsSync(beside) ? beside : import.meta.dirname;
}

const definitions = new Map<string, ServiceDefinition>();

/** The definition of a service by its full name. Reads and parses its file at the first call (some 10 ms), so call it at start. */
export function definitionOf(service: ServiceName): ServiceDefinition {
  const known = definitions.get(service);
  if (known !== undefined) return known;
  const loaded = loadSync(join(protoFolder(), fileOf[service]), loaderOptions);
  for (const [name, definition] of Object.entries(loaded)) {
    if (!('format' in definition)) definitions.set(name, definition);
  }
  const definition = definitions.get(service);
  if (definition === undefined) throw new TypeError(`${fileOf[service]} does not define ${service}`);
  return definition;
}
