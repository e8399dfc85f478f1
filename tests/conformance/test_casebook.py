"""What any casebook must do: the embedded casebook's promises, which name no adapter, over every adapter."""

from tests.adapters.embedded.test_casebook import (
    test_closed_and_opened_again,
    test_closing_by_identity,
    test_closing_what_a_run_has_not_seen,
    test_concurrent_runs_open_once,
    test_each_class_of_work_has_its_status,
    test_failed_job_is_failed_for_seven_days,
    test_failed_run_changes_no_difference,
    test_failure_stands_until_its_window_succeeds,
    test_filters,
    test_many_in_order_of_age,
    test_other_kinds_and_providers_are_left_alone,
    test_recording_again_is_harmless,
    test_seeing_keeps_the_age,
    test_seen_in_another_window,
)

__all__ = [
    "test_closed_and_opened_again",
    "test_closing_by_identity",
    "test_closing_what_a_run_has_not_seen",
    "test_concurrent_runs_open_once",
    "test_each_class_of_work_has_its_status",
    "test_failed_job_is_failed_for_seven_days",
    "test_failed_run_changes_no_difference",
    "test_failure_stands_until_its_window_succeeds",
    "test_filters",
    "test_many_in_order_of_age",
    "test_other_kinds_and_providers_are_left_alone",
    "test_recording_again_is_harmless",
    "test_seeing_keeps_the_age",
    "test_seen_in_another_window",
]
