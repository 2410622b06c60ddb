from gantry.types.v1 import status_pb2


def fail(context, code, reason, message):
    """Ends the call by gRPC's own codes; the reason, for programs, is in the details, the same bytes as google.rpc.Status."""
    info = status_pb2.ErrorInfo(reason=reason, domain="gantry.dev").SerializeToString()
    detail = status_pb2.ErrorDetail(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info)
    whole = status_pb2.ErrorStatus(code=code.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", whole.SerializeToString()),))
    context.abort(code, message)
