"""Somebody else's Flight client on a closed bridge: the basic handshake, bearer tokens, TLS.

    access_client.py URL CA PRINCIPAL TOKEN DATASET OTHER
"""

import sys

import pyarrow.flight as flight


def refused(kind, call):
    """The call is refused with this error of pyarrow's, and not another."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"not refused with {kind.__name__}")


def main(url, ca, principal, token, dataset, other):
    with open(ca, "rb") as file:
        client = flight.FlightClient(url, tls_root_certs=file.read())
    descriptor = flight.FlightDescriptor.for_path(dataset)
    text = refused(flight.FlightUnauthenticatedError, lambda: client.get_flight_info(descriptor))
    assert "FS1102" in text, text
    for user, password in [(principal, token[:-1]), ("somebody", token), (principal, "")]:
        refused(flight.FlightUnauthenticatedError, lambda: client.authenticate_basic_token(user, password))
    header = client.authenticate_basic_token(principal, token)
    assert header == (b"authorization", f"Bearer {token}".encode()), "the token comes back as a bearer's"
    options = flight.FlightCallOptions(headers=[header])
    info = client.get_flight_info(descriptor, options)
    rows = 0
    for endpoint in info.endpoints:
        assert [str(location.uri) for location in endpoint.locations] == [f"b'{url}'"], endpoint.locations
        rows += client.do_get(endpoint.ticket, options).read_all().num_rows
        refused(flight.FlightUnauthenticatedError, lambda: client.do_get(endpoint.ticket).read_all())
    assert rows == info.total_records > 0
    secret = flight.FlightDescriptor.for_path(other)
    text = refused(flight.FlightUnauthorizedError, lambda: client.get_flight_info(secret, options))
    assert "FS1103" in text, text
    text = refused(
        flight.FlightUnauthorizedError,
        lambda: client.do_put(descriptor, info.schema, options)[1].read(),
    )
    assert "FS1103" in text, text
    print(f"{rows} rows by pyarrow, with a bearer of the basic handshake over TLS")


if __name__ == "__main__":
    main(*sys.argv[1:])
