# A guest of your own: a kernel that is entered by INT3, sets IBRS at each entry and clears it at each exit. Put your
# own entry between `entry` and `leave`. What Spectrap gives and wants stands in docs/guest-abi.md.
#
#   as -o entry.o entry.s
#   ld -static -nostdlib -z noseparate-code -z max-page-size=0x1000 -Ttext-segment=0x8000 --section-start=.user=0x20000 -o entry.elf entry.o
#   spectrap run --image entry.elf
    .intel_syntax noprefix

# The shared page, and the sample records of 24 bytes: iterations, time before, time after.
    .equ MAILBOX, 0x30000
    .equ SAMPLES, 0x40000
# The port that says "done", and the IDT that Spectrap has made: gate 3 is INT3's.
    .equ DOORBELL, 0xf4
    .equ GATE3, 0x6000 + 3 * 16

# The promise: what one iteration does, counted. A run that counts something else is no result.
    .section .note.spectrap, "a", @note
    .balign 4
    .long 9, 56, 1              # lengths of owner and content, type
    .asciz "Spectrap"
    .balign 4
    .long 1                     # version of the ABI
    .long 3                     # user mode enters the kernel by INT3
    .long 0x48                  # the MSR: IA32_SPEC_CTRL
    .long 0
    .quad 1                     # the bits that are set in it: IBRS
    .long 0, 2, 0, 0, 0         # each iteration: reads, writes, OUTs to port 0xf5, stores to 0x100000, HLTs
    .long 0, 0, 0               # once, at the start: reads, writes, OUTs to port 0xf5

    .text
    .globl _start
_start:                         # ring 0, 64-bit mode, RSP = 0x8000
    mov dword ptr ds:[MAILBOX], 1   # running
    lea rax, [rip + entry]
    mov ds:[GATE3], ax          # the gate's address, in its three parts
    shr rax, 16
    mov ds:[GATE3 + 6], ax
    shr rax, 16
    mov ds:[GATE3 + 8], eax
    mov edi, ds:[MAILBOX + 8]   # how many samples
    mov ebx, SAMPLES            # the first record
    xor r13d, r13d              # no entry yet
    push 0x2b                   # SS
    push 0x2a000                # RSP
    push 0x202                  # RFLAGS
    push 0x33                   # CS: 64-bit code in ring 3
    lea rax, user
    push rax
    iretq

entry:
    test edi, edi               # no sample is left: this is no entry, it says so
    jz done
    inc r13
    mov ecx, 0x48
    mov eax, 1
    xor edx, edx
    wrmsr                       # IBRS on
leave:
    mov ecx, 0x48
    xor eax, eax
    xor edx, edx
    wrmsr                       # IBRS off
    iretq

done:
    mov ds:[MAILBOX + 0x10], r13    # how many iterations there were
    mov dword ptr ds:[MAILBOX], 2   # done
    out DOORBELL, al
    hlt

    .section .user, "ax"
user:                           # ring 3
sample:
    mov ebp, [rbx]              # how many iterations this sample has
    lfence
    rdtsc                       # the time before
    lfence
    mov [rbx + 8], eax
    mov [rbx + 12], edx
iteration:
    int3
    dec ebp
    jnz iteration
    lfence
    rdtsc                       # the time after
    lfence
    mov [rbx + 16], eax
    mov [rbx + 20], edx
    add rbx, 24
    dec edi
    jnz sample
    int3
