/** The codes with which text that nobody should send may be answered, by call and place. */
import type { ServiceError } from '@grpc/grpc-js';
import { asBerthError } from '../../kit/errors.ts';
import { codeOf } from '../../protos/status.ts';

const refusals = ['INVALID_ARGUMENT', 'NOT_FOUND', 'FAILED_PRECONDITION', 'OUT_OF_RANGE'];
/** Of what the specification gives them beside the common codes (facts: §1.3), and where a text is no name, ID or parameter of ours. */
const more: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^Controller(Unp|P)ublishVolume /, ['UNSUPPORTED']],
  [/ starting_token$/, ['BUSY']],
  // Another node may have it.
  [
    / (accessibility_requirements\.requisite\.|parameters\{pool\}|volume_context\{pool\})/,
    ['RESOURCE_EXHAUSTED', 'OK'],
  ],
  // Names, and what is opaque to us.
  [/ name$/, ['OK']],
  [/ (secrets|publish_context|volume_context|parameters|mutable_parameters)\{/, ['OK']],
  [/ access\w+_(requirements|topology)\./, ['OK']],
  [/^GetCapacity /, ['OK']],
  [/^ValidateVolumeCapabilities .*(fs_type|volume_mount_group)$/, ['OK']],
  [/^NodePublishVolume of an inline volume (volume_id|staging_target_path)$/, ['OK']],
  [/^ListSnapshots /, ['OK']],
  // What never was is gone, and taken back.
  [/^Delete\w+ (volume|snapshot|group_snapshot)_id$/, ['OK']],
  [/^NodeUn\w+Volume( of an inline volume)? (volume_id|\w+_path)$/, ['OK']],
  // Where the caller believes a volume to be is not looked at.
  [/^Node(GetVolumeStats|ExpandVolume|GetVolumeHealth) (staging_target|volume_publish)_path$/, ['OK']],
];

/** `place`: the call, a space and the place of the text, as `NodeStageVolume volume_id`. */
export function permitted(place: string): readonly string[] {
  return [...refusals, ...more.flatMap(([pattern, codes]) => (pattern.test(place) ? codes : []))];
}

/** Code and message of a unary call, or of a stream, which fails with what grpc has. */
export function refusalOf(error: unknown): readonly [string, string] {
  if (error instanceof Error && 'details' in error) return [codeOf(error as ServiceError), error.message];
  const { code, message } = asBerthError(error);
  return [code, message];
}
