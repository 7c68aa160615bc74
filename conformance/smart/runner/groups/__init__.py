"""All groups, in the order in which they are run."""

from . import backend, consent, context, discovery, identity, lifetimes, refusals, scopes, standalone, surroundings

ALL = [
    discovery.Discovery,
    standalone.Full,
    standalone.Limited,
    context.EhrLaunch,
    standalone.PublicClient,
    standalone.AsymmetricClient,
    scopes.VersionOne,
    scopes.Users,
    scopes.GranularOne,
    scopes.GranularTwo,
    consent.GranularChoice,
    consent.ForgedConsent,
    lifetimes.Refresh,
    lifetimes.Expiry,
    identity.OpenId,
    refusals.InvalidAudience,
    refusals.InvalidCode,
    refusals.InvalidClient,
    refusals.ProofKey,
    lifetimes.Revocation,
    lifetimes.Introspection,
    backend.Backend,
    surroundings.Cors,
    surroundings.Brands,
    surroundings.AppState,
    context.Device,
    consent.Registration,
    consent.Management,
]


def chosen(names):
    """The groups of these names; without any all that are not slow."""
    return [group for group in ALL if group.name in names or not names and not group.is_slow]
