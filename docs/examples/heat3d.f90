! heat3d in Fortran: the same simulation as heat3d.c, with the same numbers to the last bit, through the module godwit.
!
!   heat3d_fortran --size BYTES --steps N [--from ADDR TARGET --to ADDR TARGET]
!
! Without --from it computes 2 N steps alone; with it, the field lives in regions of a node, and moves to another half way.
! It says "moved ..." then, and waits for a line on standard input. The last line is the field's digest.
program heat3d
  use godwit
  use, intrinsic :: iso_fortran_env, only: error_unit, int64, input_unit, output_unit, real64
  implicit none

  integer, parameter :: slabs = 8  ! Regions that the field is cut into, along its last axis.
  integer, parameter :: text_length = 300
  type :: place
    character(len=text_length) :: address = "", target = ""
  end type place

  type(place) :: from, to
  integer(int64) :: size_bytes = 2_int64**30
  integer :: steps = 4
  integer :: n  ! Points along an edge.
  real(real64), allocatable :: field(:, :, :), next(:, :, :)
  type(c_ptr) :: client = c_null_ptr  ! Null: computes alone.
  type(c_ptr) :: regions(slabs)

  call read_arguments()
  n = int((real(size_bytes, real64) / 8.0_real64)**(1.0_real64 / 3.0_real64) + 1e-6_real64)
  if (n < slabs .or. (from%address == "") .neqv. (to%address == "")) then
    write (error_unit, '(a)') "heat3d: --size of at least 4096, and --from with --to"
    stop 2
  end if
  allocate (field(n, n, n), next(n, n, n))
  call heat_up()
  if (from%address /= "") then
    call check(godwit_client_open(client=client), "client")
    call create_slabs(from)
  end if
  call run()
  if (c_associated(client)) then
    call move(from, to)
    read (input_unit, '(a)')  ! Whoever started us may now take the first node down.
    call reopen(to)
    call load()
  end if
  call run()
  if (c_associated(client)) then
    call load()  ! The digest is of what the node holds.
    call close_slabs()
    call godwit_client_close(client)
  end if
  write (output_unit, '(2a)') "digest ", hexadecimal(digest())

contains

  subroutine read_arguments()
    character(len=text_length) :: argument
    integer :: i
    i = 1
    do while (i <= command_argument_count())
      argument = argument_at(i)
      select case (argument)
      case ("--size")
        argument = argument_at(i + 1)
        read (argument, *) size_bytes
        i = i + 2
      case ("--steps")
        argument = argument_at(i + 1)
        read (argument, *) steps
        i = i + 2
      case ("--from")
        from = place(argument_at(i + 1), argument_at(i + 2))
        i = i + 3
      case ("--to")
        to = place(argument_at(i + 1), argument_at(i + 2))
        i = i + 3
      case default
        write (error_unit, '(3a)') "heat3d: what is '", trim(argument), "'?"
        stop 2
      end select
    end do
  end subroutine read_arguments

  function argument_at(i) result(argument)
    integer, intent(in) :: i
    character(len=text_length) :: argument
    call get_command_argument(i, argument)
  end function argument_at

  ! Ends the program with Godwit's own account of what failed.
  subroutine check(code, what)
    integer(c_int), intent(in) :: code
    character(len=*), intent(in) :: what
    if (code == GODWIT_OK) return
    write (error_unit, '(7a)') "heat3d: ", what, ": ", godwit_text_of(godwit_last_error()), " (", &
      godwit_text_of(godwit_error_name(code)), ")"
    stop 1
  end subroutine check

  ! What C takes for a text.
  function c_text(text) result(ended)
    character(len=*), intent(in) :: text
    character(len=:), allocatable :: ended
    ended = trim(text) // c_null_char
  end function c_text

  integer function first_plane(slab)
    integer, intent(in) :: slab
    first_plane = n * (slab - 1) / slabs + 1
  end function first_plane

  integer(c_int64_t) function slab_bytes(slab)
    integer, intent(in) :: slab
    slab_bytes = int(first_plane(slab + 1) - first_plane(slab), c_int64_t) * n * n * 8
  end function slab_bytes

  function slab_name(slab) result(name)
    integer, intent(in) :: slab
    character(len=:), allocatable :: name
    name = "heat3d.slab." // achar(iachar("0") + slab) // c_null_char
  end function slab_name

  subroutine heat_up()
    integer :: x, y, z
    integer(int64) :: i
    i = 0
    do x = 1, n
      do y = 1, n
        do z = 1, n
          field(z, y, x) = real(mod(i * 2654435761_int64, 100003_int64), real64) / 1000.0_real64
          i = i + 1
        end do
      end do
    end do
  end subroutine heat_up

  ! One explicit Euler step; the faces of the cube keep their temperature.
  subroutine step()
    real(real64), allocatable :: old(:, :, :)
    integer :: x, y, z
    next = field
    do x = 2, n - 1
      do y = 2, n - 1
        do z = 2, n - 1
          next(z, y, x) = field(z, y, x) + 0.125_real64 * (field(z - 1, y, x) + field(z + 1, y, x) + field(z, y - 1, x) &
            + field(z, y + 1, x) + field(z, y, x - 1) + field(z, y, x + 1) - 6.0_real64 * field(z, y, x))
        end do
      end do
    end do
    call move_alloc(field, old)
    call move_alloc(next, field)
    call move_alloc(old, next)
  end subroutine step

  integer(int64) function digest()
    integer :: x, y, z
    digest = int(z'cbf29ce484222325', int64)
    do x = 1, n
      do y = 1, n
        do z = 1, n
          digest = ieor(digest, transfer(field(z, y, x), digest)) * 1099511628211_int64
          digest = ieor(digest, shiftr(digest, 29))
        end do
      end do
    end do
  end function digest

  function hexadecimal(number) result(text)
    integer(int64), intent(in) :: number
    character(len=16) :: text
    integer :: i, digit
    do i = 1, 16
      digit = int(ibits(number, 64 - 4 * i, 4))
      text(i:i) = "0123456789abcdef"(digit + 1:digit + 1)
    end do
  end function hexadecimal

  subroutine create_slabs(at)
    type(place), intent(in) :: at
    type(c_ptr) :: target = c_null_ptr
    integer :: i
    call check(godwit_target_open(client, c_text(at%address), c_text(at%target), target), "open the target")
    do i = 1, slabs
      call check(godwit_region_create(target, slab_name(i), slab_bytes(i), regions(i)), "create a region")
    end do
    call godwit_target_close(target)
  end subroutine create_slabs

  ! A checkpoint: what a crash of this program would leave.
  subroutine save()
    integer :: i
    do i = 1, slabs
      call check(godwit_region_write(regions(i), 0_c_int64_t, field(:, :, first_plane(i):first_plane(i + 1) - 1), &
        slab_bytes(i)), "write a region")
      call check(godwit_region_persist(regions(i), 0_c_int64_t, slab_bytes(i)), "persist a region")
    end do
  end subroutine save

  subroutine load()
    integer :: i
    field = -1.0_real64  ! Not one number from our own copy.
    do i = 1, slabs
      call check(godwit_region_read(regions(i), 0_c_int64_t, field(:, :, first_plane(i):first_plane(i + 1) - 1), &
        slab_bytes(i)), "read a region")
    end do
  end subroutine load

  ! Moves all slabs in one job. From here on they are the second node's.
  subroutine move(source, destination)
    type(place), intent(in) :: source, destination
    type(godwit_region_id) :: ids(slabs)
    integer(int64) :: begin, end, rate
    integer :: i
    do i = 1, slabs
      call check(godwit_region_get_id(regions(i), ids(i)), "id of a region")
    end do
    call system_clock(begin, rate)
    call check(godwit_migrate(client, c_text(source%address), ids, int(slabs, c_size_t), c_text(destination%address), &
      c_text(destination%target)), "migrate")
    call system_clock(end)
    call close_slabs()
    write (output_unit, '(a, i0, a, i0, a, f0.6)') "moved regions=", slabs, " bytes=", int(n, int64)**3 * 8, " seconds=", &
      real(end - begin, real64) / real(rate, real64)
    flush (output_unit)
  end subroutine move

  subroutine reopen(at)
    type(place), intent(in) :: at
    integer :: i
    do i = 1, slabs
      call check(godwit_region_open(client, c_text(at%address), slab_name(i), regions(i)), "reopen a region")
    end do
  end subroutine reopen

  subroutine close_slabs()
    integer :: i
    do i = 1, slabs
      call godwit_region_close(regions(i))
    end do
  end subroutine close_slabs

  subroutine run()
    integer :: i
    do i = 1, steps
      call step()
    end do
    if (c_associated(client)) call save()
  end subroutine run

end program heat3d
