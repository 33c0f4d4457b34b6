"""The nouns of Tierwise: frozen values that travel from station to station.

A `Task` is analysed into a `Profile`, routed into a `Decision`, executed as `Attempt`s that end
in an answer, and kept as a `Record`. Units everywhere: money in USD, time in seconds, prices in
USD per million tokens, qualities and probabilities in [0, 1].
"""

from tierwise.types.models import Aws, Deployment, Limits, Model, Prices, Timeouts
from tierwise.types.outcomes import (
    CACHE,
    Attempt,
    Completion,
    Record,
    TokenLogprob,
    ToolCall,
    Usage,
    Verdict,
)
from tierwise.types.plans import Candidate, Decision, Estimate, Held, Plan, Policy, Tier, Weights
from tierwise.types.task import (
    MOST_TAG_BYTES,
    Guard,
    Message,
    Owner,
    Part,
    Profile,
    Purse,
    Task,
    Trace,
)
from tierwise.types.words import (
    CAPABILITIES,
    DOMAINS,
    KINDS,
    WAIT_S,
    Capability,
    Domain,
    Kind,
    OnStreamBreak,
    Priority,
    Streams,
)

__all__ = [
    "CACHE",
    "CAPABILITIES",
    "DOMAINS",
    "KINDS",
    "MOST_TAG_BYTES",
    "WAIT_S",
    "Attempt",
    "Aws",
    "Candidate",
    "Capability",
    "Completion",
    "Decision",
    "Deployment",
    "Domain",
    "Estimate",
    "Guard",
    "Held",
    "Kind",
    "Limits",
    "Message",
    "Model",
    "OnStreamBreak",
    "Owner",
    "Part",
    "Plan",
    "Policy",
    "Prices",
    "Priority",
    "Profile",
    "Purse",
    "Record",
    "Streams",
    "Task",
    "Tier",
    "Timeouts",
    "TokenLogprob",
    "ToolCall",
    "Trace",
    "Usage",
    "Verdict",
    "Weights",
]
