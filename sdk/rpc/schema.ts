/** The contracts' shape as data, made of proto/ by `npm run generate`. */
import schemaJson from './schema.json' with { type: 'json' };

export interface FieldSchema {
  readonly name: string;
  readonly id: number;
  /** A scalar of protobuf, "enum", or a message's full name. */
  readonly type: string;
  /** `member`: of the message's union. Absent: it must be there. */
  readonly rule?: 'repeated' | 'map' | 'optional' | 'member';
  /** An enum's texts by number; null: nothing was said. */
  readonly texts?: readonly (string | null)[];
  readonly omitEmpty?: boolean;
  readonly json?: boolean;
}
export interface MessageSchema {
  readonly fields: readonly FieldSchema[];
  /** `isFlat`: members are messages, whose fields stand beside the union's name ({ kind: 'open', … }); else { member: value }. */
  readonly union?: { readonly name: string; readonly isFlat: boolean };
}
export interface MethodSchema {
  readonly rpc: string;
  readonly request: string;
  readonly answer: string;
  readonly requestStream?: boolean;
  readonly answerStream?: boolean;
}
export interface ServiceSchema {
  readonly path: string;
  /** The message of a driver's constants. */
  readonly properties?: string;
  readonly methods: Readonly<Record<string, MethodSchema>>;
}
export interface Schema {
  readonly services: Readonly<Record<string, ServiceSchema>>;
  readonly messages: Readonly<Record<string, MessageSchema>>;
}

export const schema = schemaJson as Schema;
