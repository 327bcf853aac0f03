"""A policy is given what it lacks, and nothing is taken out of it."""

from typing import Any

import pytest

from email_consumer.aws_setup.policy_document import merged, missing

_WANTED = {"Sid": "Send", "Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": ["arn:a", "arn:b"]}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("present", "covers"),
    [
        (_WANTED, True),
        (_WANTED | {"Sid": "Other"}, True),
        (_WANTED | {"Action": "SES:*", "Resource": "*"}, True),
        (_WANTED | {"Resource": ["arn:b", "arn:c", "arn:a"]}, True),
        (_WANTED | {"Resource": "arn:a"}, False),
        (_WANTED | {"Resource": "ARN:*"}, False),
        (_WANTED | {"Effect": "Deny"}, False),
        (_WANTED | {"Action": ["ses:Send"]}, False),
        (_WANTED | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        (_WANTED | {"Principal": "*"}, False),
        ({"Sid": "Send", "Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
    ],
)
def test_what_covers_a_statement(present: dict[str, Any], *, covers: bool) -> None:
    assert (missing(_policy(present), _policy(_WANTED)) == []) is covers


def test_a_statement_of_ours_is_widened() -> None:
    narrower = _WANTED | {"Resource": "arn:a", "Action": ["ses:SendEmail", "ses:SendBulkEmail"]}
    [both] = merged(_policy(narrower), _policy(_WANTED))["Statement"]
    assert (both["Action"], both["Resource"]) == (["ses:SendEmail", "ses:SendBulkEmail"], ["arn:a", "arn:b"])


def test_a_statement_of_others_under_our_sid_stays() -> None:
    theirs = {"Sid": "Send", "Effect": "Deny", "Action": "ses:*", "Resource": "arn:c"}
    result = merged(_policy(theirs), _policy(_WANTED))
    assert result["Statement"] == [theirs, _WANTED | {"Sid": "Send2"}]
    assert merged(result, _policy(_WANTED)) == result


def test_a_policy_with_a_single_statement_and_one_that_is_absent() -> None:
    theirs = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
    assert merged({"Statement": theirs}, _policy(_WANTED))["Statement"] == [theirs, _WANTED]
    assert merged({}, _policy(_WANTED)) == _policy(_WANTED)


def test_principals() -> None:
    ses = {"Principal": {"Service": "ses.amazonaws.com"}}
    several = {"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"], "AWS": "1234"}}
    assert missing(_policy(_WANTED | several), _policy(_WANTED | ses)) == []
    assert missing(_policy(_WANTED | ses), _policy(_WANTED | several)) != []
