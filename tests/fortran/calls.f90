! calls ADDRESS TARGET OTHER_TARGET: every kind of argument that the module godwit has, against a real node. Silent unless wrong.
module callbacks
  use godwit
  implicit none
  integer :: calls = 0
contains
  function count_progress(progress, context) bind(c) result(outcome)
    type(godwit_progress), intent(in), optional :: progress
    type(c_ptr), value :: context
    integer(c_int) :: outcome
    integer(c_int), pointer :: answer
    if (present(progress)) then
      if (progress%bytes_done == 800000 .and. progress%objects_total == 1) calls = calls + 1
    end if
    call c_f_pointer(context, answer)
    outcome = answer
  end function count_progress
end module callbacks

program calls_test
  use callbacks
  use godwit
  use, intrinsic :: iso_fortran_env, only: error_unit
  implicit none

  character(len=300) :: argument
  character(len=:), allocatable :: address, target_name, other_name
  integer(c_int), target :: go_on = 0
  type(c_ptr) :: client = c_null_ptr, target = c_null_ptr, other = c_null_ptr, region = c_null_ptr, moved = c_null_ptr
  type(c_ptr) :: infos = c_null_ptr, json = c_null_ptr, database = c_null_ptr
  type(godwit_client_options) :: options
  type(godwit_migrate_options) :: how
  type(godwit_region_info), pointer :: regions(:)
  type(godwit_region_id) :: id, same
  type(godwit_target_info) :: target_info
  character(kind=c_char) :: digits(33)
  integer(c_size_t) :: count
  integer(c_int64_t) :: bytes, lengths(2), value_size
  integer(c_int) :: exist(2)
  real(c_double) :: microseconds = -1, values(100000), back(100000)
  character(kind=c_char, len=1), target :: keys(2) = ["a", "b"]
  integer(c_int), target :: number = 42
  integer :: i

  call get_command_argument(1, argument)
  address = trim(argument) // c_null_char
  call get_command_argument(2, argument)
  target_name = trim(argument) // c_null_char
  call get_command_argument(3, argument)
  other_name = trim(argument) // c_null_char

  ! Texts, constants, and what is left out.
  call must(godwit_text_of(godwit_version()) == "0.1.0", "version")
  call must(godwit_text_of(godwit_error_name(GODWIT_ERR_RANGE)) == "GODWIT_ERR_RANGE", "error name")
  call must(godwit_text_of(c_null_ptr) == "", "text of NULL")
  call must(godwit_client_open() == GODWIT_ERR_INVALID, "client left out")
  call must(index(godwit_text_of(godwit_last_error()), "NULL") > 0, "last error")
  options%operation_timeout_ms = 60000
  call good(godwit_client_open(options, client), "client")
  call good(godwit_ping(client, address), "ping without result")
  call good(godwit_ping(client, address, microseconds), "ping")
  call must(microseconds > 0, "microseconds")
  call good(godwit_rate_parse("2GiB/s" // c_null_char, bytes), "rate")
  call must(bytes == 2_c_int64_t**31, "rate")
  call good(godwit_doctor(client, address, json), "doctor")
  call must(index(godwit_text_of(json), "{") == 1, "JSON")
  call godwit_free(json)

  ! Structs, by value and by reference; arrays of any type; arrays that a call makes.
  values = [(sqrt(real(i, c_double)), i = 1, size(values))]
  call good(godwit_target_open(client, address, target_name, target), "target")
  call good(godwit_target_open(client, address, other_name, other), "target")
  call good(godwit_region_create_write(target, "field" // c_null_char, values, 800000_c_int64_t, region), "create")
  call good(godwit_region_read(region, 0_c_int64_t, back, 800000_c_int64_t), "read")
  call must(all(transfer(back, [0_c_int64_t]) == transfer(values, [0_c_int64_t])), "what comes back")
  call good(godwit_region_get_id(region, id), "id")
  call godwit_region_id_format(id, digits)
  call must(digits(33) == c_null_char .and. digits(32) /= c_null_char, "digits")
  call good(godwit_region_id_parse(digits, same), "parse")
  call must(same%high == id%high .and. same%low == id%low, "same id")
  call good(godwit_region_list(client, address, infos=infos, count=count), "list")
  call must(count == 1, "count")
  call c_f_pointer(infos, regions, [count])
  call must(regions(1)%size_bytes == 800000 .and. regions(1)%epoch == 1, "info")
  call must(godwit_text_of(c_loc_of(regions(1)%name)) == "field", "name")
  call must(godwit_text_of(c_loc_of(regions(1)%address)) // c_null_char == address, "address")
  call godwit_free(infos)

  ! Callbacks of ours.
  how%progress = c_funloc(count_progress)
  how%progress_context = c_loc(go_on)
  call good(godwit_region_migrate(region, other, how, moved), "migrate")
  call must(calls > 0, "progress")
  call good(godwit_target_stat(other, target_info), "stat")
  call must(target_info%regions == 1 .and. target_info%used_bytes >= 800000, "it has moved")
  call good(godwit_region_erase(moved), "erase")
  call must(godwit_region_erase(region) == GODWIT_ERR_NOT_FOUND, "erased")

  ! Arrays of pointers.
  call good(godwit_database_create(client, address, "numbers" // c_null_char, "map" // c_null_char, database=database), "database")
  call good(godwit_database_put(database, keys(1:1), 1_c_size_t, [number], 4_c_int64_t), "put")
  call good(godwit_database_length_multi(database, 2_c_size_t, [c_loc(keys(1)), c_loc(keys(2))], [1_c_size_t, 1_c_size_t], &
    lengths), "lengths")
  call must(lengths(1) == 4 .and. lengths(2) == GODWIT_NO_VALUE, "lengths")
  call good(godwit_database_exists_multi(database, 2_c_size_t, [c_loc(keys(1)), c_loc(keys(2))], [1_c_size_t, 1_c_size_t], &
    exist), "exist")
  call must(exist(1) == 1 .and. exist(2) == 0, "exist")
  value_size = 0
  call must(godwit_database_get(database, keys(1:1), 1_c_size_t, value_size=value_size) == GODWIT_ERR_RANGE, "no room")
  call must(value_size == 4, "room that is needed")
  call good(godwit_database_destroy(database), "destroy")

  call godwit_database_close(database)
  call godwit_region_close(moved)
  call godwit_region_close(region)
  call godwit_target_close(other)
  call godwit_target_close(target)
  call godwit_client_close(client)

contains

  function c_loc_of(text) result(address_of_text)
    character(kind=c_char), intent(in), target :: text(:)
    type(c_ptr) :: address_of_text
    address_of_text = c_loc(text(1))
  end function c_loc_of

  subroutine must(condition, what)
    logical, intent(in) :: condition
    character(len=*), intent(in) :: what
    if (condition) return
    write (error_unit, '(2a)') "wrong: ", what
    stop 1
  end subroutine must

  subroutine good(code, what)
    integer(c_int), intent(in) :: code
    character(len=*), intent(in) :: what
    if (code /= GODWIT_OK) write (error_unit, '(a)') godwit_text_of(godwit_last_error())
    call must(code == GODWIT_OK, what)
  end subroutine good

end program calls_test
