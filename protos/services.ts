/** Every gRPC service Berth serves or calls, by full name, with its generated types. A new service gets a line here and in load.ts. */
import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import type { ControllerDefinition, ControllerHandlers } from './types/csi/v1/Controller.ts';
import type { GroupControllerDefinition, GroupControllerHandlers } from './types/csi/v1/GroupController.ts';
import type { IdentityDefinition, IdentityHandlers } from './types/csi/v1/Identity.ts';
import type { NodeDefinition, NodeHandlers } from './types/csi/v1/Node.ts';
import type { SnapshotMetadataDefinition, SnapshotMetadataHandlers } from './types/csi/v1/SnapshotMetadata.ts';
import type { RegistrationDefinition as PluginDefinition } from './types/pluginregistration/Registration.ts';
import type { RegistrationHandlers as PluginHandlers } from './types/pluginregistration/Registration.ts';
import type { PodResourcesListerDefinition, PodResourcesListerHandlers } from './types/v1/PodResourcesLister.ts';
import type { DevicePluginDefinition, DevicePluginHandlers } from './types/v1beta1/DevicePlugin.ts';
import type { RegistrationDefinition, RegistrationHandlers } from './types/v1beta1/Registration.ts';

export interface Services {
  'v1beta1.Registration': { definition: RegistrationDefinition; handlers: RegistrationHandlers };
  'v1beta1.DevicePlugin': { definition: DevicePluginDefinition; handlers: DevicePluginHandlers };
  'pluginregistration.Registration': { definition: PluginDefinition; handlers: PluginHandlers };
  'v1.PodResourcesLister': { definition: PodResourcesListerDefinition; handlers: PodResourcesListerHandlers };
  'csi.v1.Identity': { definition: IdentityDefinition; handlers: IdentityHandlers };
  'csi.v1.Controller': { definition: ControllerDefinition; handlers: ControllerHandlers };
  'csi.v1.GroupController': { definition: GroupControllerDefinition; handlers: GroupControllerHandlers };
  'csi.v1.SnapshotMetadata': { definition: SnapshotMetadataDefinition; handlers: SnapshotMetadataHandlers };
  'csi.v1.Node': { definition: NodeDefinition; handlers: NodeHandlers };
}

export type ServiceName = keyof Services;

/** The methods of a service without the index signature the generated interface inherits. */
export type MethodsOf<S extends ServiceName> = {
  [M in keyof Services[S]['handlers'] as string extends M ? never : number extends M ? never : M]: true;
};

/** One method: is it a server stream, and its messages as the server and as the client see them. */
export interface Method<Stream extends boolean, ServerRequest, ServerResponse, ClientRequest, ClientResponse> {
  readonly stream: Stream;
  readonly serverRequest: ServerRequest;
  readonly serverResponse: ServerResponse;
  readonly clientRequest: ClientRequest;
  readonly clientResponse: ClientResponse;
}

/** The types of a method of a service, from the generated handlers and definition. */
export type MethodOf<S extends ServiceName, M> = M extends keyof Services[S]['definition'] &
  keyof Services[S]['handlers']
  ? Services[S]['definition'][M] extends {
      requestSerialize: (value: infer ClientRequest) => Buffer;
      responseDeserialize: (bytes: Buffer) => infer ClientResponse;
    }
    ? Services[S]['handlers'][M] extends handleServerStreamingCall<infer ServerRequest, infer ServerResponse>
      ? Method<true, ServerRequest, ServerResponse, ClientRequest, ClientResponse>
      : Services[S]['handlers'][M] extends handleUnaryCall<infer ServerRequest, infer ServerResponse>
        ? Method<false, ServerRequest, ServerResponse, ClientRequest, ClientResponse>
        : never
    : never
  : never;
