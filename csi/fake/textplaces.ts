/** Every place of a request that holds text, found in the .proto file itself: a field of tomorrow is not forgotten. */
import { join } from 'node:path';
// Which teaches protobufjs the descriptor.proto that csi.proto imports.
import '@grpc/proto-loader';
import protobuf from 'protobufjs';

type Message = Readonly<Record<string, unknown>>;

export interface TextPlace {
  /** `volume_capabilities.mount.fs_type`; of maps `parameters{}` the keys and `parameters{pool}` a value. */
  readonly name: string;
  /** The request with the text there. */
  readonly with: (text: string) => Message;
}

const file = join(import.meta.dirname, '../../protos/csi/v1/csi.proto');
const root = new protobuf.Root().loadSync(file, { keepCase: true });
root.resolveAll();

export interface RpcMethod {
  readonly service: string;
  readonly method: string;
  readonly request: protobuf.Type;
}

/** Those of all services of CSI. */
export function rpcMethods(): readonly RpcMethod[] {
  const services = root.lookup('csi.v1') as protobuf.Namespace;
  return services.nestedArray.flatMap((each) => {
    if (!(each instanceof protobuf.Service)) return [];
    return each.methodsArray.map(({ name, resolvedRequestType }) => ({
      service: `csi.v1.${each.name}`,
      method: name,
      request: resolvedRequestType ?? new protobuf.Type(name),
    }));
  });
}

/** The places of a message that is `valid` otherwise; of a repeated field the first, and one more than there are. */
export function textPlaces(type: protobuf.Type, valid: Message = {}): readonly TextPlace[] {
  return type.fieldsArray.flatMap((field) => {
    const { name, repeated } = field;
    const present = valid[name];
    // Of several in a oneof only one can be set.
    const rivals = new Set(field.partOf?.oneof.filter((other) => other !== name));
    const rest = Object.fromEntries(Object.entries(valid).filter(([key]) => !rivals.has(key)));
    const put = (value: unknown): Message => ({ ...rest, [name]: value });
    if (field instanceof protobuf.MapField) return inMap(name, (present ?? {}) as Message, put);
    if (field.type === 'string' && !repeated) return [{ name, with: put }];
    const list = (present ?? []) as readonly unknown[];
    if (field.type === 'string')
      return [...new Set([0, list.length])].map((at) => ({
        name: `${name}[${at}]`,
        with: (text: string) => put(list.toSpliced(at, 1, text)),
      }));
    if (!(field.resolvedType instanceof protobuf.Type)) return [];
    const inner = textPlaces(field.resolvedType, (repeated ? list[0] : present) as Message | undefined);
    return inner.map((place) => ({
      name: `${name}.${place.name}`,
      with: (text: string) => put(repeated ? [place.with(text), ...list.slice(1)] : place.with(text)),
    }));
  });
}

function inMap(name: string, present: Message, put: (value: unknown) => Message): readonly TextPlace[] {
  const keys = Object.keys(present);
  return [
    { name: `${name}{}`, with: (text) => put({ ...present, [text]: 'x' }) },
    ...(keys.length === 0 ? ['key'] : keys).map((key) => ({
      name: `${name}{${key}}`,
      with: (text: string) => put({ ...present, [key]: text }),
    })),
  ];
}
