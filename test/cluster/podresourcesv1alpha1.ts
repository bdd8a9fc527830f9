/** The first version of the kubelet's pod resources API, which kubelets of 1.36 still serve beside v1. */
import { Client, credentials } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/grpc-js';
import { definitionOf } from '../../protos/load.ts';
import type { PodResources__Output } from '../../protos/types/v1/PodResources.ts';

interface Answer {
  readonly pod_resources: readonly PodResources__Output[];
}

/** As `listPodResources`. The messages are a part of v1's, under the same numbers. */
export async function listPodResourcesV1alpha1(rootDir: string): Promise<Answer['pod_resources']> {
  const { requestSerialize, responseDeserialize } = definitionOf('v1.PodResourcesLister')['List'] as MethodDefinition<
    object,
    Answer
  >;
  const options = { 'grpc.default_authority': 'localhost' };
  const client = new Client(`unix:${rootDir}/pod-resources/kubelet.sock`, credentials.createInsecure(), options);
  const method = '/v1alpha1.PodResourcesLister/List';
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(method, requestSerialize, responseDeserialize, {}, (error, answer) => {
        if (error === null) resolve(answer?.pod_resources ?? []);
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}
