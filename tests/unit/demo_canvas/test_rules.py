"""The table of Canvas's selection rules: report by report, which tests hold each rule, or why none does.

A line reads ``rule: tests``, or ``rule: - reason`` where the demo can't or doesn't follow it.
"""

import ast
from pathlib import Path

from canvas_reports_nb.demo_canvas.reports import REPORT_TYPES
from canvas_reports_nb.demo_canvas.reports.types import TABLES

HERE = Path(__file__).parent
RULES = {
    "every report: parameters": """
        blank values are not given: a_parameter_counts_when_it_is_not_blank
        switches by words, by leading integers; decimals, lists and objects are off: switches
        lists split at commas, untrimmed, case counts, unknown words drop: lists_split_at_commas_without_trimming_and_drop_unknown_words
        only unknown words keep nothing: the_filters_come_on_top_of_the_state_rule
        created_by_sis is on unless null or false: created_by_sis_is_on_unless_null_or_false_and_skips_two_files
        limiting_period acts by its key: the_limiting_period
        skip_message is on unless null or false: - the demo sends no mail
        enrollment_term and course are other names: a_term_in_any_spelling_narrows, spellings_of_a_course
        unknown parameters are stored and ignored: one_file_is_a_csv_more_are_a_zip_in_fixed_order_and_none_is_an_error, parameters_arrive_in_every_encoding
        text and JSON alike: parameters_arrive_in_every_encoding, json_values_keep_their_types
    """,
    "every report: term": """
        spellings, never a name, deleted terms found: spellings_of_a_term_at_the_start
        current is the one running term with a date: the_current_term_needs_one_date_and_may_lack_the_other
        an unknown one is a bad request: the_term_is_checked, a_term_in_another_spelling_is_a_bad_request
        active_terms and lists pass and then fail: the_term_is_checked, a_run_reads_its_term_as_one_id
        blank is every term: the_term_is_checked, the_summary
        by the course a section is in now: the_term_acts_on_four_files
        older servers accept an unknown term: old_servers_accept_an_unknown_term_and_then_fail
    """,
    "every report: course and dates": """
        spellings of a course: spellings_of_a_course, spellings_of_a_course_whose_frame_has_more_ids
        an unknown one fails, four reports read it: an_unknown_course_ends_the_run_in_error_only_where_it_is_read
        offsets, the zone of the root, midnight, days that roll over, texts without a date: dates
        an impossible month or hour fails: an_impossible_month_or_hour_ends_the_run_in_error
    """,
    "every report: accounts": """
        courses of the whole tree, deleted accounts included: a_sub_account_has_the_courses_of_its_whole_tree
        cross-listing adds no account: a_sub_account_has_its_own_rows_but_every_term
        people by enrollments, roles and account groups: people_are_associated_by_enrollments_roles_and_account_groups
        the table of associations may lag: - it is computed, so that rows don't depend on when Canvas repairs it
        groups, sets, roles and tools by live accounts: a_sub_account_has_its_own_rows_but_every_term, tools
        spellings of an account: spellings_of_an_account
        terms and portfolios of the school, direct children, own keys, own outcomes: a_sub_account_has_its_own_rows_but_every_term, portfolios, developer_keys_of_this_very_account_and_the_site, only_outcomes_of_this_very_account_count
    """,
    "every report: logins and names": """
        the best login, suspended ones usable, deleted ones with include_deleted: the_best_login_in_the_root
        an enrollment tied to a login: the_login_to_which_an_enrollment_is_tied
        logins of trusted schools come last: logins_of_trusted_schools_come_after_its_own, the_guest_has_the_host_of_the_trusted_school
        no usable login, no row: rows_of_people_without_a_usable_login_are_left_out
        one joined login: one_joined_login, tokens, logins_of_trusted_schools_come_after_its_own
        first and last name from the sortable one: first_and_last_names_are_cut_from_the_sortable_name
        display or sortable name: which_name_of_a_person_is_printed
        e-mail of the lowest position: - the frames hold the chosen address only
    """,
    "every report: cells and order": """
        null is nothing, an empty text is quoted, no carriage returns: the_dialect_distinguishes_null_from_an_empty_text
        times in the zone of the root, Z in UTC: times_have_the_offset_of_the_zone_and_no_fractions, one_column_mixes_two_offsets
        floats as in Ruby: floats_are_printed_as_ruby_does, extreme_floats_reach_the_file
        lists as in Ruby: a_list_is_printed_as_ruby_does
        hashes as in Ruby up to 3.3: - texts of the seeded world, equal in all its files
        no order clause elsewhere: - rows come as the frames have them, mostly by id
    """,
    "every report: texts": """
        pieces of the summary, in order: the_summary
        a text that the client sent comes first: the_summary
        message of a finished run: the_message_and_text_of_a_run_that_is_over
        texts of a failed run: the_message_and_text_of_a_run_that_is_over, a_run_without_a_file_switch_ends_in_error
        texts of an aborted run: abort_and_delete
        the requester's language: - the texts of other languages are not known
        older servers write Include Deleted Objects: - a report doesn't know the age of its server
    """,
    "every report: life of a run": """
        states, progress, lines: a_run_passes_through_its_states, progress_and_lines_are_saved_as_canvas_saves_them, progress_stays_at_zero_below_a_thousand_rows
        progress falls when compiling starts: status_goes_forward_and_progress_falls_only_when_compiling_starts
        locale is overwritten, computed dates are stored: computed_parameters_are_stored_once_the_run_has_started, a_window_is_stored_as_the_report_computed_it
        a failed run is at 100: a_failed_run_is_at_100_percent_without_a_file
        an aborted parallel run is never finalized: aborting_finalizes_a_run_unless_it_is_parallel, an_aborted_parallel_run_is_never_finalized
        aborted in the queue: a_run_aborted_in_the_queue_is_finalized_when_its_turn_comes
        calls by state: abort_and_delete, a_run_that_is_over_cannot_be_aborted
        deleting changes the status only, files stay: deleting_a_running_run_changes_only_its_status, deleting_a_finished_run_leaves_its_times_and_file, the_file_of_a_deleted_run_is_kept
        equal runs: duplicates_are_compared_as_stored_and_only_while_created, a_run_that_waits_for_more_than_twelve_hours_is_no_duplicate, old_servers_queue_duplicates_and_lack_fields
        a batch that raises, a lost database, a type switched off in between: - none of them can happen here
    """,
    "provisioning_csv, sis_export_csv": """
        one CSV or a zip in fixed order, none is a failure: one_file_is_a_csv_more_are_a_zip_in_fixed_order_and_none_is_an_error, members_keep_canvas_order_and_header
        the term acts on four files: the_term_acts_on_four_files
        created_by_sis skips two files: created_by_sis_is_on_unless_null_or_false_and_skips_two_files
        filters come on top of the states: the_filters_come_on_top_of_the_state_rule, enrollment_states_are_raw_and_print_as_concluded
        include_deleted widens the logins: rows_of_people_without_a_usable_login_are_left_out
        sub-accounts, file by file: a_sub_account_has_its_own_rows_but_every_term
        deleted temporary enrollments: - documented for servers that nobody has read; none are in the frames
        groups for differentiation tags: - not known, and not in the frames
    """,
    "users": """
        states and SIS ids: users_accounts_terms_and_courses
        test students are left out: test_students_and_their_logins_are_left_out
        one row per login of the school: a_sub_account_has_its_own_rows_but_every_term, logins_of_trusted_schools_come_after_its_own
        pronouns: pronouns, pronouns_are_printed_translated_and_own_texts_as_typed
        password is blank: other_cells
    """,
    "accounts": """
        states and SIS ids: users_accounts_terms_and_courses
        never the root; direct children of a sub-account: from_the_root_accounts_of_every_depth_are_listed_but_not_the_root, a_sub_account_has_its_own_rows_but_every_term
    """,
    "terms": """
        states and SIS ids: users_accounts_terms_and_courses
        all terms, whatever account or term: a_sub_account_sees_only_its_own, a_parameter_changes_the_rows
    """,
    "courses": """
        states, SIS ids, 120 days: users_accounts_terms_and_courses
        status in both forms: the_status_of_courses
        dates where they are enforced: dates_are_printed_where_they_are_enforced
        blueprint: other_cells
    """,
    "sections": """
        states and SIS ids: sections_and_cross_listed_ones
        account of the course it is in now: other_cells
        dates where they are enforced: dates_are_printed_where_they_are_enforced
        the original course, before 2019: - the demo's old servers are from 2025
    """,
    "enrollments": """
        states, SIS ids and batches, no test students: enrollments
        course and section state don't matter, except for the status: enrollments, the_status_of_enrollments
        roles, observed students, privileges: other_cells, the_role_is_a_custom_name_or_that_of_the_type
        root_account: logins_of_trusted_schools_come_after_its_own, a_setting_adds_columns
        temporary enrollments, and the long header of the SIS form: a_setting_adds_columns, temporary_enrollments_make_the_header_of_the_sis_export_longer_than_its_rows
        by id: enrollments_come_by_id_and_group_sets_too
    """,
    "groups": """
        states and SIS ids: groups_and_memberships
        account or course cells: other_cells
        ids of the set: groups_and_memberships_show_the_ids_of_their_set_and_group
    """,
    "group_membership": """
        states and SIS batches: groups_and_memberships
        ids of the group: groups_and_memberships_show_the_ids_of_their_set_and_group
        no test students: test_students_and_their_logins_are_left_out
    """,
    "group_categories": """
        states and SIS batches: group_sets_admins_and_observers
        by id: enrollments_come_by_id_and_group_sets_too
    """,
    "xlist": """
        states and SIS ids, completed courses: sections_and_cross_listed_ones
    """,
    "user_observers": """
        states and SIS batches: group_sets_admins_and_observers
        pairs of logins, the student's login counts: observers_are_pairs_of_logins
        by the account of the student: a_sub_account_has_its_own_rows_but_every_term
    """,
    "admins": """
        states and SIS batches: group_sets_admins_and_observers
        stored name of the role: which_name_of_a_person_is_printed
    """,
    "grade_export_csv": """
        types, states, courses: the_population_of_the_grade_export
        limiting_period: the_limiting_period
        scores and grades: scores_need_work_and_grades_a_scheme, marks_agree_between_sections_of_a_course_and_look_like_marks
        a deleted course score hides the row: - the frames hold no states of scores
        integration id and override columns: a_setting_adds_columns
        no course is a header: without_a_course_the_grade_export_is_its_header
        batches and slices: rows_of_a_batch_interleave_its_slices_of_a_thousand, courses_are_cut_into_batches_of_at_least_25_in_id_order
    """,
    "mgp_grade_export_csv": """
        terms by number only, its own name only: the_period_export_has_a_member_per_term, the_period_export_reads_a_number_and_so_finds_no_term_in_a_word, the_period_export_ignores_the_other_name_of_the_term
        a member per term, one text without periods: the_period_export_has_a_member_per_term
        terms of one name: terms_of_one_name_share_a_member_under_the_later_header
        headers and blank files without courses: a_term_with_periods_but_no_course_is_a_header_if_another_term_made_a_batch, a_term_whose_courses_are_all_deleted_makes_a_batch_only_with_include_deleted
        columns per period: grading_periods_make_a_member_a_term, each_period_loses_its_override_columns_too
        round the courses: members_of_the_period_export_go_round_the_courses
        a slash in the name makes a folder: - inferred only; written as _ so that every client finds the member
    """,
    "unpublished_courses_csv": "states: course_reports\n dates: course_dates_are_printed_where_they_are_enforced",
    "public_courses_csv": "states: course_reports\n dates: course_dates_are_printed_where_they_are_enforced",
    "recently_deleted_courses_csv": """
        thirty days since the last change: course_reports
        dates: course_dates_are_printed_where_they_are_enforced
    """,
    "course_storage_csv": """
        states: course_reports
        floats: extreme_floats_reach_the_file
        which files count, 512 bytes at least: - the frames hold the sums
    """,
    "unused_courses_csv": """
        states: course_reports
        status: the_status_of_unused_courses
        what counts as content: - the frames hold the answer
    """,
    "students_with_no_submissions_csv": """
        the window: the_window_of_submissions, no_submissions_looks_at_fourteen_days_at_most
        states of enrollment, course and section: students_with_no_submissions
        borders of the window are outside: a_submission_on_the_border_of_the_window_does_not_count
        enrollment_state as it is: the_enrollment_state_is_compared_as_it_is
        the state column: no_submissions_looks_at_fourteen_days_at_most
        term and course, any account: a_chosen_course_may_be_in_any_account_but_must_be_in_the_term
        deleted submissions don't count: - submissions are functions of person and course; none is deleted
    """,
    "zero_activity_csv": """
        states of enrollment, course, section and login: zero_activity
        with and without start_at, end_at unread: activity_anywhere_in_the_course_counts
        term and course, any account: a_chosen_course_may_be_in_any_account_but_must_be_in_the_term
    """,
    "last_user_access_csv": """
        every login, deleted ones with include_deleted: last_user_access_lists_every_login
        enrolled in a term or course, which wins: last_user_access_of_a_term_or_course
        Instructure's own identities are left out: - none are in the frames
    """,
    "last_enrollment_activity_csv": """
        every type and state, term and course, by user: last_enrollment_activity_is_the_latest_of_all_types_and_states
    """,
    "user_access_tokens_csv": """
        states, expiry, the owner's login, order, never: tokens
        hint and visible token: tokens, tokens_made_by_hand_may_have_the_key_of_canvas
        last use at most every ten minutes: - no report shows when it was stored
    """,
    "outcome_results_csv": """
        states of enrollment and course: outcomes_of_students
        outcomes of this account, in several groups: only_outcomes_of_this_very_account_count, an_outcome_in_two_groups_and_in_another_account
        one row per login: one_row_per_login_unless_it_is_deleted
        enrollments of one section are one row: enrollments_of_one_section_are_merged
        orders: outcome_results_come_in_the_order_asked
        quiz, assignment or blank, address: questions_of_quizzes_are_results_but_not_aligned_assignments
        rating and mastered: the_rating_is_the_highest_that_the_score_reaches
        hidden points: hidden_points_blank_four_cells
        nothing found: an_empty_outcome_report_says_so_in_one_cell, only_outcomes_of_this_very_account_count
        numbers with a point, separator and mark: only_the_outcome_export_prints_numbers_of_the_locale, separator_and_mark_of_the_outcome_reports
        deleted results, dead alignments, New Quizzes: - the frames hold live results of classic quizzes and essays
        scales resolved for the course: - a scale of the account would equal that of the outcome here
    """,
    "student_assignment_outcome_map_csv": """
        states of enrollment and course: outcomes_of_students
        graded or not: the_map_has_ungraded_assignments_too, ungraded_rows_have_no_cell_of_a_result
        assignments only: questions_of_quizzes_are_results_but_not_aligned_assignments
        differing states are two rows, groups too: enrollments_of_one_section_are_merged, an_outcome_in_two_groups_and_in_another_account
        one row per login: one_row_per_login_unless_it_is_deleted
        a deleted result removes the row: - the frames hold no deleted results
    """,
    "outcome_export_csv": """
        groups by depth, outcomes by id, guids, no rating cells of groups: the_outcome_export, outcome_export_is_ragged_and_puts_parents_first
        all groups of an outcome, ratings best first: an_outcome_names_all_its_groups_and_lists_its_ratings_best_first
        numbers of the locale: only_the_outcome_export_prints_numbers_of_the_locale
        mastery scales: mastery_scales_leave_eight_columns
        include_deleted adds text only: the_outcome_export, the_summary
        friendly description by account: - the frames hold the resolved one
    """,
    "lti_report_csv": """
        tools, accounts and courses that are deleted; sub-accounts; cells; times: tools
        a column for the LTI version: - its name is not known
    """,
    "eportfolio_report_csv": """
        a row per login, deleted ones only with include_deleted, no enrollments, every account, public flag, times: portfolios, deleted_portfolios_replace_the_live_ones
        deleted owners: - the frames hold no states of users
    """,
    "developer_key_report_csv": """
        own keys, then the site's; blank cells; no summary: developer_keys_of_this_very_account_and_the_site, the_summary
        a consortium parent's keys: - the school has no parent
    """,
    "settings": """
        columns: a_setting_adds_columns, each_period_loses_its_override_columns_too, switched_columns
        institutional tags: institutional_tags_are_in_the_form_and_files_with_the_setting_only, institutional_tags
        everything over HTTP: temporary_enrollments_and_trusted_accounts, separator_mark_and_hidden_points, numbers_of_the_locale, mastery_scales
        uuid in Canvas Career: - documented only, and its place is unknown
    """,
}  # fmt: skip
LINES = [
    (section, *map(str.strip, line.rsplit(": ", 1)))
    for section, lines in RULES.items()
    for line in lines.strip().splitlines()
]
NAMED = {name for _, _, held in LINES if not held.startswith("- ") for name in held.split(", ")}


def names(*files: Path) -> set[str]:
    """Return the names of the tests in some files, without ``test_``."""
    nodes = [node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body]
    found = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name.removeprefix("test_") for name in found if name.startswith("test_")}


def test_each_rule_names_tests_that_exist():
    assert names(*HERE.glob("test_*.py"), *HERE.parents[1].glob("contract/test_demo_*.py")) >= NAMED


def test_each_rule_without_a_test_has_a_reason():
    assert [line for line in LINES if line[2].startswith("-") and len(line[2].split()) < 4] == []


def test_every_report_and_file_has_its_rules():
    sections = {name for section in RULES for name in section.split(", ")}
    assert {*REPORT_TYPES, *TABLES} <= sections


def test_every_test_of_a_rule_is_in_the_table():
    assert names(*HERE.glob("test_rules_*.py")) <= NAMED
