// Our CSI protocol is the published one, and what we keep beside it is what kubelet 1.36 reads.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';

/** One line per field, enum value and method: name, number, type, oneof and custom options. */
function tableOf(file: string): string[] {
  const root = new protobuf.Root();
  const ownFiles = dirname(createRequire(import.meta.url).resolve('protobufjs'));
  root.resolvePath = (_, target) => (target.startsWith('google/') ? join(ownFiles, target) : target);
  root.loadSync(file, { keepCase: true });
  const lines: string[] = [];
  const walk = (object: protobuf.ReflectionObject): void => {
    if (object instanceof protobuf.Type) lines.push(...object.fieldsArray.map(lineOf));
    if (object instanceof protobuf.Enum) {
      for (const [name, value] of Object.entries(object.values)) {
        const options = (object.valuesOptions ?? {})[name] ?? {};
        lines.push(`${object.fullName}.${name} ${value} ${JSON.stringify(options)}`);
      }
    }
    if (object instanceof protobuf.Service) {
      for (const method of object.methodsArray) {
        const answer = `${method.responseStream === true ? 'stream ' : ''}${method.responseType}`;
        lines.push(`${method.fullName}(${method.requestType}) ${answer}`);
      }
    }
    if (object instanceof protobuf.Namespace) object.nestedArray.forEach(walk);
  };
  const services = root.lookup('csi.v1');
  if (services === null) throw new TypeError(`${file} has no package csi.v1`);
  walk(services);
  return lines.sort();
}

function lineOf(field: protobuf.Field): string {
  const key = field instanceof protobuf.MapField ? `map<${field.keyType}> ` : '';
  const type = `${field.repeated ? 'repeated ' : ''}${key}${field.type.replace(/^\./, '')}`;
  const oneof = field.partOf === null ? '' : ` in ${field.partOf.name}`;
  return `${field.parent?.fullName ?? ''}.${field.name} ${field.id} ${type}${oneof} ${JSON.stringify(field.options ?? {})}`;
}

/** Withdrawn between CSI 1.12 and 1.13, and kept. */
const kept = /(VolumeCondition\.(abnormal|message)|\.volume_condition|\.Type\.VOLUME_CONDITION) /;

test('every name, number, type and mark is that of CSI 1.13', () => {
  const published = tableOf(join(import.meta.dirname, 'csi.proto')).filter((line) => !kept.test(line));
  expect(published).toHaveLength(309);
  // Of the same table made from csi.proto of the Go module github.com/container-storage-interface/spec v1.13.0.
  const digest = createHash('sha256').update(published.join('\n')).digest('hex');
  expect(digest).toBe('935f0df3a940e767bab65ea87314566398687178095a3188f01ef5b25a9c10a6');
});

test('the older health field has the numbers of CSI 1.12', () => {
  expect(tableOf(join(import.meta.dirname, 'csi.proto')).filter((line) => kept.test(line))).toEqual([
    '.csi.v1.ControllerGetVolumeResponse.VolumeStatus.volume_condition 2 VolumeCondition {}',
    '.csi.v1.ControllerServiceCapability.RPC.Type.VOLUME_CONDITION 11 {"(alpha_enum_value)":true}',
    '.csi.v1.ListVolumesResponse.VolumeStatus.volume_condition 2 VolumeCondition {"(alpha_field)":true}',
    '.csi.v1.NodeGetVolumeStatsResponse.volume_condition 2 VolumeCondition {"(alpha_field)":true}',
    '.csi.v1.NodeServiceCapability.RPC.Type.VOLUME_CONDITION 4 {"(alpha_enum_value)":true}',
    '.csi.v1.VolumeCondition.abnormal 1 bool {}',
    '.csi.v1.VolumeCondition.message 2 string {}',
  ]);
});

test('the fields named secrets, and no others, are marked so that no log shows them', () => {
  const table = tableOf(join(import.meta.dirname, 'csi.proto'));
  const named = table.filter((line) => /\.secrets \d+ map<string> string/.test(line));
  expect(named).toHaveLength(22);
  expect(table.filter((line) => line.includes('csi_secret') && !line.startsWith('.csi.v1.csi_secret'))).toEqual(named);
});
